import { sql, type RawBuilder } from 'kysely'
import type { FastifyRequest } from 'fastify'

/** Who makes a change, and by which request: part of every event. */
export interface Origin { actorId: string, requestId: string }

/** For what no person asked for: the CTE `event` also has `actor_id`, in whose name it happens. */
export type Automatic = Pick<Origin, 'requestId'>

export const originOf = ({ actor, id }: FastifyRequest): Origin => ({ actorId: actor.id, requestId: id })

/**
 * The end of a changing statement: CTEs that record one event for each row of its CTE `event`, in the same statement, so
 * that a change and its event both happen or neither does.
 *
 * `event` has: event_id, at, entity_type, entity_id, action, project_id, task_id, version, changes, data.
 */
export function recordEvents (origin: Origin | Automatic): RawBuilder<unknown> {
  const actor = 'actorId' in origin ? sql`${origin.actorId}::uuid` : sql`actor_id`
  return sql`
    logged as (
      insert into activity_log (id, created_at, entity_type, entity_id, action, actor_id, project_id, task_id, version, changes, data, request_id)
      select event_id, at, entity_type, entity_id, action, ${actor}, project_id, task_id, version, changes, data, ${origin.requestId}::text from event
      returning id, created_at
    ), queued as (
      insert into event_outbox (event_id, event_at) select id, created_at from logged order by created_at, id
    )`
}
