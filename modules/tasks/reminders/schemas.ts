import { Type, type Static } from 'typebox'
import { Nullable, Timestamp } from '../../shared/schemas.js'

/** From a minute to about a year of working time. */
const within = (description: string) => Nullable(Type.Integer({ minimum: 60, maximum: 10_000_000 }), { description })

const Rule = Type.Object({
  acknowledge_within_seconds: within('of working time, from getting the ball; null: no reminder'),
  act_within_seconds: within('of working time, without pauses, unless a handover says by when; null: no reminder')
}, { additionalProperties: false })

const rules = { low: Rule, normal: Rule, high: Rule, urgent: Rule }

export const BallPolicy = Type.Object({ ...rules, version: Type.Integer(), updated_at: Timestamp }, { $id: 'BallPolicy', description: 'what is expected of whoever has a ball, by the task\'s priority' })
export type BallPolicy = Static<typeof BallPolicy>

export const SetBallPolicy = Type.Object(rules, { additionalProperties: false })
export type SetBallPolicy = Static<typeof SetBallPolicy>
