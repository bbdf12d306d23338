import createError from '@fastify/error'
import { Forbidden, InvalidValue, withMembers } from '../../plugins/errors.js'
import type { Created } from './queries.js'
import type { CreateGuestLink } from './schemas.js'

const DAY_MS = 86_400_000

const UnknownProject = createError('EDEN_UNKNOWN_PROJECT', 'project_id names no project', 422)
const UnknownTask = createError('EDEN_UNKNOWN_TASK', 'task_id names no task', 422)
const TooManyGuestLinks = createError<[number]>('EDEN_TOO_MANY_GUEST_LINKS', 'you have %d live links, as many as are allowed: revoke one first', 422)

/** What the body of a request names is not there, as far as the caller sees. */
const unknown = ({ task_id: taskId }: Pick<CreateGuestLink, 'task_id'>): Error => {
  const error = taskId === undefined ? new UnknownProject() : new UnknownTask()
  return withMembers(error, { errors: [{ path: taskId === undefined ? 'project_id' : 'task_id', message: error.message }] })
}

/** Why a link was not made. @param most how many a person may have */
export function refusalOf (created: Extract<Created, { refused: string }>, values: CreateGuestLink, most: number): Error {
  if (created.refused === 'forbidden') return new Forbidden(created.missing)
  return created.refused === 'too_many' ? new TooManyGuestLinks(most) : unknown(values)
}

const invalid = (path: string, message: string) => withMembers(new InvalidValue(`${path} ${message}`), { errors: [{ path, message }] })

/** Refuses a link that would show no one thing, or would be good for too long, or never. */
export function checkGuestLink ({ project_id: projectId, task_id: taskId, expires_at: expires }: CreateGuestLink, { now, maxDays }: { now: Date, maxDays: number }): void {
  if ((projectId === undefined) === (taskId === undefined)) throw invalid(projectId === undefined ? 'body' : 'task_id', 'must name exactly one of project_id and task_id')
  const lasts = Date.parse(expires) - now.getTime()
  if (lasts <= 0 || lasts > maxDays * DAY_MS) throw invalid('expires_at', `must be in the future, and within ${maxDays} days`)
}
