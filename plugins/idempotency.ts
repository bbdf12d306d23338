import { createHash } from 'node:crypto'
import createError from '@fastify/error'
import fp from 'fastify-plugin'
import { sql } from 'kysely'
import type { FastifyRequest } from 'fastify'
import type { Db } from './database/index.js'
import { InvalidValue, withMembers } from './errors.js'
import { BATCH, inBatches } from './jobs/batches.js'

const InProgress = createError('EDEN_IDEMPOTENCY_IN_PROGRESS', 'the same request is being handled right now', 409)
const Mismatch = createError('EDEN_IDEMPOTENCY_MISMATCH', 'this Idempotency-Key came with another request before', 422)

/** What a POST answers: kept as it is for repetitions. */
export interface Answer<T> { status: number, headers?: Record<string, string>, body: T }

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Does the work of a POST and answers with what it returns. With an `Idempotency-Key` the work and the memory of its
     * answer are one transaction: a repetition within 24 hours gets the first answer and does nothing, also when the
     * first was killed anywhere; work that fails leaves the key free.
     */
    once: <T>(request: FastifyRequest, reply: FastifyReply, work: (db: Db) => Promise<Answer<T>>) => Promise<T>
  }
}

/** What a key stands for: the same key with anything else is a mistake of the caller. */
function hashOf ({ method, url, body }: FastifyRequest): Buffer {
  return createHash('sha256').update(JSON.stringify([method, url, body])).digest()
}

/** The key that a request carries, if any. @throws InvalidValue when it is not one */
export function idempotencyKeyOf (request: FastifyRequest): string | undefined {
  const key = request.headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) {
    const message = 'must be 1 to 255 visible ASCII characters'
    throw withMembers(new InvalidValue(`idempotency-key ${message}`), { errors: [{ path: 'idempotency-key', message }] })
  }
  return key
}

/** Forgets answers that are too old to be repeated. @returns how many */
const expireKeys = (db: Db, signal?: AbortSignal): Promise<number> => inBatches(async () => {
  const { numAffectedRows } = await sql`
    delete from idempotency_keys where ctid = any(array(select ctid from idempotency_keys where expires_at <= now() limit ${BATCH} for update skip locked))`.execute(db)
  return Number(numAffectedRows)
}, signal)

/** Decorates `app.once`. */
export default fp(async function idempotency (app) {
  async function remember<T> (key: string, request: FastifyRequest, work: (db: Db) => Promise<Answer<T>>): Promise<Answer<T>> {
    const userId = request.actor.id
    const hash = hashOf(request)
    return app.db.transaction().execute(async (trx) => {
      const { rows: [lock] } = await sql<{ mine: boolean }>`
        select pg_try_advisory_xact_lock(hashtextextended(${`idempotency ${userId} ${key}`}, 0)) as mine`.execute(trx)
      if (lock?.mine !== true) throw new InProgress()
      const first = await trx.selectFrom('idempotency_keys').select(['request_hash', 'status', 'headers', 'body'])
        .where('user_id', '=', userId).where('key', '=', key).where('expires_at', '>', sql<string>`now()`).executeTakeFirst()
      if (first !== undefined) {
        if (!first.request_hash.equals(hash)) throw new Mismatch()
        return { status: first.status, headers: { ...first.headers as Record<string, string>, 'idempotency-replayed': 'true' }, body: first.body as T }
      }
      const answer = await work(trx)
      const kept = {
        request_hash: hash,
        status: answer.status,
        headers: JSON.stringify(answer.headers ?? {}),
        body: JSON.stringify(answer.body),
        expires_at: sql<string>`now() + interval '24 hours'`
      }
      await trx.insertInto('idempotency_keys').values({ user_id: userId, key, ...kept })
        .onConflict((oc) => oc.columns(['user_id', 'key']).doUpdateSet(kept)).execute()
      return answer
    })
  }

  app.jobs.schedule({
    name: 'expire_idempotency_keys',
    description: 'forget the answers to requests with an Idempotency-Key, after their 24 hours',
    cron: '10 * * * *',
    run: async ({ db, signal }) => ({ keys: await expireKeys(db, signal) })
  })
  app.decorate('once', async (request, reply, work) => {
    const key = idempotencyKeyOf(request)
    const { status, headers, body } = key === undefined ? await work(app.db) : await remember(key, request, work)
    reply.code(status).headers(headers ?? {})
    return body
  })
}, { name: 'idempotency', dependencies: ['database', 'errors', 'auth', 'jobs'] })
