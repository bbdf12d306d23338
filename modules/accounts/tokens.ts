import { createHash, createHmac, randomBytes } from 'node:crypto'

/** 256 random bits as text: refresh tokens and one-time links. */
export const newToken = (): string => randomBytes(32).toString('base64url')

/** What is kept of a token: of 256 random bits a plain hash tells nothing. */
export const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

export const newSalt = (): Buffer => randomBytes(32)

/**
 * The token that follows a refresh token. Whoever holds the one, and is given the salt by the database, makes the other
 * again: two tabs that come at once get the same, and a session has one line of tokens, in which a stolen one shows.
 */
export const successorOf = (token: string, salt: Buffer): string => createHmac('sha256', Buffer.from(token, 'base64url')).update(salt).digest('base64url')
