import { Type, type Static } from 'typebox'
import { Id, Line, Nullable, Timestamp } from '../shared/schemas.js'

export const MOST_IN_PASSWORD = 200

/** As people type it. That there is nobody of this address is never told. */
const Address = Type.String({ maxLength: 254, pattern: '^[^@\\s\\p{Cc}\\p{Cs}]+@[^@\\s\\p{Cc}\\p{Cs}]+$' })
const Password = Type.String({ minLength: 1, maxLength: MOST_IN_PASSWORD, pattern: '^[^\\p{Cc}\\p{Cs}]+$' })
const NewPassword = Type.String({ minLength: 1, maxLength: MOST_IN_PASSWORD, pattern: '^[^\\p{Cc}\\p{Cs}]+$', description: 'at least 12 characters; none of the commonest, nor one made of the own name or address' })
/** 256 random bits, in base64url. */
const Token = Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })

export const SignIn = Type.Object({ email: Address, password: Password }, { additionalProperties: false })
export const Refresh = Type.Object({ refresh_token: Token }, { additionalProperties: false })
export const SignOut = Type.Object({ refresh_token: Type.Optional(Token) }, { additionalProperties: false })
export const ChangePassword = Type.Object({ current_password: Password, new_password: NewPassword }, { additionalProperties: false })
export const ForgotPassword = Type.Object({ email: Address }, { additionalProperties: false })
export const ResetPassword = Type.Object({ token: Token, new_password: NewPassword }, { additionalProperties: false })
export const Invite = Type.Object({
  user_id: Type.Optional(Id),
  email: Type.Optional(Address)
}, { additionalProperties: false, minProperties: 1, description: 'one of both' })
export const AcceptInvitation = Type.Object({ token: Token, password: NewPassword, name: Type.Optional(Line(200)) }, { additionalProperties: false })

/** What a client gets when it signs in. The tokens are shown here and nowhere else. */
export const SignedIn = Type.Object({
  access_token: Type.String({ description: 'for `Authorization: Bearer`' }),
  token_type: Type.Literal('Bearer'),
  expires_in: Type.Integer({ description: 'seconds for which the access token is good' }),
  refresh_token: Type.String({ description: 'good once, for a new pair of tokens' }),
  refresh_expires_at: Timestamp,
  user: Type.Object({ id: Id, email: Type.String(), name: Type.String() })
}, { $id: 'SignedIn' })
export type SignedIn = Static<typeof SignedIn>

export const EndedSessions = Type.Object({ ended_sessions: Type.Integer() }, { $id: 'EndedSessions' })
/** An e-mail will be sent, if there is anything to send. */
export const Accepted = Type.Object({ accepted: Type.Literal(true) }, { $id: 'Accepted' })

export const Session = Type.Object({
  id: Id,
  created_at: Timestamp,
  last_used_at: Timestamp,
  expires_at: Timestamp,
  ip: Type.String({ description: 'from where it began' }),
  user_agent: Nullable(Type.String()),
  current: Type.Boolean({ description: 'whether this request is of that session' })
}, { $id: 'Session' })
