import pg from 'pg'

/** What PostgreSQL says beside its message that names things of ours, and never a row's values. */
const safeFields = ['severity', 'schema', 'table', 'column', 'dataType', 'constraint', 'routine'] as const
const DEEPEST = 5

/** The messages of a refused connection name the user, and those about values repeat them. */
const repeatsWhatWasSent = (error: unknown) => error instanceof pg.DatabaseError && (error.severity === 'FATAL' || /^2[23]/.test(error.code ?? ''))

/** A text without the tokens of ours that have a form of their own: they stand in paths too. */
export const withoutTokens = (text: string): string => text.replace(/(eden_[a-z]+_)[0-9A-Za-z]{22}_[0-9A-Za-z]+/g, '$1[redacted]')

/** A text without what could be a secret wherever it came from: the user and password of a URL, its query string, tokens. */
export function scrub (text: string): string {
  return withoutTokens(text)
    .replace(/\b(postgres(?:ql)?|smtps?|https?):\/\/[^\s/@]*@/gi, '$1://[redacted]@')
    .replace(/(\/[^\s"'?]*)\?[^\s"']+/g, '$1?[redacted]')
    .replace(/\b(tenant\/user) \S+/gi, '$1 [redacted]')
}

/**
 * The message of an error as others may keep it: in the log, in the record of a job, in the queue.
 * PostgreSQL does not escape what it quotes: all from the first quote to the last may be a value.
 */
export function messageForLog (error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return scrub(repeatsWhatWasSent(error) ? text.replace(/"[\s\S]*"/, '"[redacted]"') : text)
}

/** What a log line has under `err`. */
export interface LoggedError { type: string, message: string, stack: string, [field: string]: unknown }

/** An error as the log has it: what is wrong and where, without user names, passwords, or the data of a row. */
export function errorForLog (error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: '', stack: '' }
  const message = messageForLog(error)
  const fields = error instanceof pg.DatabaseError ? Object.fromEntries(safeFields.flatMap((name) => error[name] === undefined ? [] : [[name, error[name]]])) : {}
  const { code, statusCode, syscall, address, port } = error as Error & Record<'code' | 'statusCode' | 'syscall' | 'address' | 'port', unknown>
  return {
    type: error.constructor.name,
    message,
    stack: scrub((error.stack ?? '').replace(error.message, () => message)), // a stack begins with the message
    code,
    statusCode,
    syscall,
    address,
    port,
    ...fields,
    ...(error.cause === undefined || depth === DEEPEST ? {} : { cause: errorForLog(error.cause, depth + 1) }),
    ...(error instanceof AggregateError && depth < DEEPEST ? { errors: error.errors.map((one) => errorForLog(one, depth + 1)) } : {})
  }
}
