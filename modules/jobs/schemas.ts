import { Type } from 'typebox'
import { Id, Nullable, OneOf, ref, Timestamp } from '../shared/schemas.js'

export const JobName = Type.String({ pattern: '^[a-z_]{1,60}$', description: 'the name of a job' })

export const states = ['waiting', 'running', 'succeeded', 'failed'] as const

export const JobRun = Type.Object({
  id: Id,
  job: JobName,
  slot: Type.String({ format: 'date-time', description: 'when it was due, or asked for' }),
  state: OneOf(states),
  attempt: Type.Integer({ description: 'how often it was tried so far' }),
  requested_by: Nullable(Id, { description: 'who asked for it; null when it was due by the clock' }),
  started_at: Nullable(Timestamp, { description: 'when the newest attempt began' }),
  finished_at: Nullable(Timestamp),
  duration_ms: Nullable(Type.Number()),
  outcome: Nullable(Type.Record(Type.String(), Type.Number()), { description: 'what was done, counted' }),
  error: Nullable(Type.String(), { description: 'why the newest attempt failed' }),
  next_attempt_at: Nullable(Timestamp, { description: 'when it is tried, or tried again' }),
  instance: Nullable(Type.String(), { description: 'host and process that made the newest attempt' })
}, { $id: 'JobRun' })

export const Job = Type.Object({
  name: JobName,
  description: Type.String(),
  schedule: Type.String({ description: 'minute, hour, day of the month, month, day of the week' }),
  timezone: Type.String({ description: 'in whose time' }),
  attempts: Type.Integer({ description: 'how often a run is tried' }),
  next_run_at: Type.String({ format: 'date-time' }),
  last_run: Nullable(ref(JobRun), { description: 'the newest; null before the first' })
}, { $id: 'Job' })

export const RequestJobRun = Type.Object({ job: JobName }, { additionalProperties: false })
