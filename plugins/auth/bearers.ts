import type { FastifyRequest } from 'fastify'
import type { Proof } from './actor.js'

/** A kind of bearer token: our own access tokens, personal access tokens, those of another issuer. */
export interface BearerKind {
  /** Whether a token looks like one of this kind: the first kind that says so checks it, and no other does. */
  claims: (token: string) => boolean
  /** @returns what the token proves @throws Refused when it proves nothing */
  prove: (token: string, request: FastifyRequest) => Proof | Promise<Proof>
}

/** A token that proves nothing. The log says why; the answer does not. */
export class Refused extends Error {
  override name = 'Refused'
}
