import createError from '@fastify/error'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { SELF } from '../../plugins/auth/index.js'
import { problems, ref } from '../shared/schemas.js'
import type { Hub } from './hub.js'
import { streamedAfter, whereToBegin } from './queries.js'
import { Notification } from './schemas.js'
import { createLiveStream } from './streams.js'

const TooManyStreams = createError<[number]>('EDEN_TOO_MANY_STREAMS', 'a person has %d live streams at once at most', 429)
const BATCH = 100
const position = Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'the id of the last event that arrived: what follows is sent' }))

export const streamRoutes: FastifyPluginAsyncTypebox<{ hub: Hub }> = async (app, { hub }) => {
  const { config } = app

  app.get('/stream', {
    config: { permission: SELF, disableMetrics: true, untimed: true }, // its duration is that of a visit, not of work
    compress: false, // a compressor would hold back what is to arrive at once
    exposeHeadRoute: false, // it would never end
    schema: {
      operationId: 'streamNotifications',
      summary: 'What I am told, as it happens: server-sent events',
      description: 'Each event `notification` has a Notification as its data; its id resumes, by the header Last-Event-ID or by `last_event_id`, of which the header counts. Without one the stream begins now.',
      tags: ['notifications'],
      querystring: Type.Object({ last_event_id: position }, { additionalProperties: false }),
      headers: Type.Object({ 'last-event-id': position }),
      response: { 200: { description: 'events', content: { 'text/event-stream': { schema: Type.String() } } }, ...problems }
    }
  }, async (request, reply) => {
    const { actor, headers, query } = request
    const place = hub.place(actor.id)
    if (place === undefined) throw new TooManyStreams(config.STREAMS_PER_PERSON)
    try {
      const toText = reply.compileSerializationSchema(ref(Notification) as unknown as Record<string, unknown>)
      const stream = createLiveStream({
        after: await whereToBegin(app.db, headers['last-event-id'] ?? query.last_event_id),
        fetch: (after) => hub.inTurn(() => streamedAfter(app.db, { actor, after, limit: BATCH })),
        batch: BATCH,
        format: (row) => `event: notification\ndata: ${toText(row)}`,
        heartbeatMs: config.STREAM_HEARTBEAT_MS,
        retryMs: config.STREAM_RETRY_MS,
        maxAgeMs: config.STREAM_MAX_AGE_MS,
        onError: (err) => request.log.warn({ err }, 'a live stream waits: it will look again'),
        onClose: place.leave
      })
      place.enter(stream)
      // Fastify follows the answer from when it is sent; a client may be gone before.
      reply.raw.once('close', () => stream.readable.destroy())
      if (reply.raw.destroyed) stream.readable.destroy()
      return reply
        .headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no', connection: 'close' })
        .send(stream.readable as never)
    } catch (error) {
      place.leave()
      throw error
    }
  })
}
