import createError from '@fastify/error'
import { NotFound, withMembers } from '../../plugins/errors.js'
import { stale } from '../shared/etags.js'
import type { Outcome, Refused } from './change.js'
import { flow, type Status } from './rules.js'

const StatusNotAllowed = createError<[string, string]>('EDEN_STATUS_NOT_ALLOWED', 'from %s a task goes to %s only', 422)
const Finished = createError('EDEN_TASK_FINISHED', 'a finished task is in nobody\'s court: reopen it first', 422)
const Blocked = createError<[string]>('EDEN_BLOCKED', 'this cannot be done before it is finished: %s', 422)
const BallThere = createError('EDEN_BALL_ALREADY_THERE', 'the ball is in that court already', 409)
const Inactive = createError<[string]>('EDEN_INACTIVE_PERSON', '%s names someone who has left', 422)
const UnknownProject = createError('EDEN_UNKNOWN_PROJECT', 'project_id names no project', 422)
const UnknownParent = createError('EDEN_UNKNOWN_PARENT', 'parent_id names no task of this project', 422)
export const MergeConflict = createError<[string]>('EDEN_MERGE_CONFLICT', 'someone else changed %s since', 409)
export const NotYourBall = createError('EDEN_BALL_NOT_YOURS', 'the ball is not in your court', 403)
export const NobodysBall = createError('EDEN_BALL_NOBODYS', 'the ball is in nobody\'s court', 409)
export const BallPaused = createError('EDEN_BALL_PAUSED', 'the ball is paused already', 409)
export const BallNotPaused = createError('EDEN_BALL_NOT_PAUSED', 'the ball is not paused', 409)
export const BallOutside = createError('EDEN_BALL_OUTSIDE', 'the ball is with an outside party, whom we do not remind', 422)
export const OwnBall = createError('EDEN_BALL_YOURS', 'the ball is in your own court', 422)
export const NudgedAlready = createError<[number]>('EDEN_NUDGED_ALREADY', 'you reminded them just now: you may again in %d s', 429)
export const NotOneReceiver = createError('EDEN_VALIDATION', 'body names exactly one of to_user_id, to_company_id and to_contact_id', 400)
export const NothingToChange = createError('EDEN_VALIDATION', 'body names no field to change', 400)
export const TwiceInBulk = createError('EDEN_VALIDATION', 'each task may be changed once in a request', 400)

const field = (error: Error, path: string) => withMembers(error, { errors: [{ path, message: error.message }] })
export const inactive = (path: string) => field(new Inactive(path), path)
export const unknownProject = () => field(new UnknownProject(), 'project_id')
export const finished = (path: string) => field(new Finished(), path)
export const unknownParent = () => field(new UnknownParent(), 'parent_id')

const UnknownAssignee = createError<[string]>('EDEN_UNKNOWN_ASSIGNEE', '%s names nobody', 422)
const UnknownHolder = createError<[string]>('EDEN_UNKNOWN_BALL_IN_COURT', '%s names nobody', 422)

const errors: Record<Refused, (outcome: Outcome, ballField: string) => Error> = {
  not_found: () => new NotFound('task'),
  stale: ({ current_version: version }) => stale(version),
  status: ({ current_status: status }) => {
    const allowed = [...flow[status as Status]]
    return withMembers(new StatusNotAllowed(status, allowed.join(', ')), { allowed, errors: [{ path: 'status', message: `may be ${allowed.join(', ')}` }] })
  },
  finished: (_outcome, ballField) => finished(ballField),
  ball_there: () => new BallThere(),
  assignee_gone: () => inactive('assignee_id'),
  assignee_unknown: () => field(new UnknownAssignee('assignee_id'), 'assignee_id'),
  holder_gone: (_outcome, ballField) => inactive(ballField),
  holder_unknown: (_outcome, ballField) => field(new UnknownHolder(ballField), ballField),
  parent_gone: unknownParent,
  blocked: ({ blockers }) => {
    const names = blockers ?? [] // what the caller does not see is not named, and holds the task up all the same
    const errors = names.map((key) => ({ path: 'status', message: `waits for ${key}` }))
    return withMembers(new Blocked(names.join(', ') || 'a task that you do not see'), { errors: errors.length > 0 ? errors : [{ path: 'status', message: 'waits for a task that you do not see' }] })
  }
}

/**
 * The problem that answers a refused change.
 * @param ballField the field of the request that says where the ball goes
 */
export function refusalOf (outcome: Outcome, ballField = 'ball_in_court'): Error | undefined {
  return outcome.refused === null ? undefined : errors[outcome.refused](outcome, ballField)
}
