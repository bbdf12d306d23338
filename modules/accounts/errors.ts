import createError from '@fastify/error'

/** One answer to every sign-in that fails, whatever is wrong: who tries learns nothing. */
export const SignInFailed = createError('EDEN_SIGN_IN_FAILED', 'the address or the password is wrong', 401)
export const SignInThrottled = createError<[number]>('EDEN_SIGN_IN_THROTTLED', 'too many failed sign-ins: try again in %d s', 429)
export const SignInUnavailable = createError('EDEN_SIGN_IN_UNAVAILABLE', 'nobody can sign in by password here: an operator has to set JWT_SECRET', 503)
export const RefreshFailed = createError('EDEN_REFRESH_FAILED', 'the refresh token is not good any more: sign in again', 401)
export const HashesBusy = createError('EDEN_SIGN_IN_BUSY', 'too many sign-ins at once: try again shortly', 503)
export const PasswordWrong = createError('EDEN_PASSWORD_WRONG', 'current_password is wrong', 422)
export const PasswordRefused = createError<[string]>('EDEN_PASSWORD_REFUSED', '%s', 422)
export const LinkNotGood = createError('EDEN_LINK_NOT_GOOD', 'the link was used, is too old, or was never given', 422)
export const PasswordThere = createError('EDEN_ALREADY_SIGNED_UP', 'the person has a password already', 409)
export const MailUnavailable = createError('EDEN_MAIL_UNAVAILABLE', 'no e-mail can be sent: an operator has to set SMTP_URL', 422)
