import { secretTokens } from '../../plugins/auth/secret-token-form.js'

/** What the tokens of guest links look like. Nobody signs in by one. */
export const guestTokens = secretTokens('eden_guest_')
