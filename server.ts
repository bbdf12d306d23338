import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { openDevelopmentDatabase } from './commands/development-database.js'
import { welcome } from './commands/welcome.js'
import { parseConfig, readEnvironment } from './plugins/config.js'
import { causeOf, explain } from './plugins/database/causes.js'

/** How long the embedded PostgreSQL may take to stop, after the service has. */
const EMBEDDED_STOP_MS = 30_000

/** What was started, the last first: undone in that order, once. */
const undo: (() => Promise<unknown>)[] = []
async function stop (): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step()
}

/** Before there is a log, and to a person: the message alone, and which section of the runbook helps. */
let tell = (error: unknown): void => {
  const message = error instanceof Error ? error.message : String(error)
  const cause = causeOf(error)
  console.error(message)
  if (!message.includes('docs/runbook.md')) console.error(cause.code === 'other' ? 'see docs/runbook.md#issue-service-is-down' : explain(cause))
}
function fail (error: unknown): void {
  tell(error)
  process.exitCode = 1
}

try {
  let config = parseConfig(readEnvironment())
  const grace = closeWithGrace({
    delay: config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS + EMBEDDED_STOP_MS,
    logger: false,
    skip: ['SIGINT', 'SIGTERM'] // a second signal would end the process at once: see below
  }, async ({ err }) => {
    if (err !== undefined) fail(err)
    await stop()
    process.exit() // with the code that `fail` may have set
  })
  // From a terminal Ctrl-C comes twice: to all processes, and once more passed on by npm. The first one counts.
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      if (!stopping) grace.close()
      stopping = true
    })
  }

  if (config.DATABASE_URL === undefined) {
    const opening = openDevelopmentDatabase(config, console.log)
    undo.push(async () => (await opening).stop())
    const embedded = await opening
    embedded.onLost((error) => { fail(error); grace.close() })
    config = { ...config, DATABASE_URL: embedded.url, JWT_SECRET: config.JWT_SECRET ?? embedded.jwtSecret }
  }
  const app = await buildApp(config)
  const isProduction = config.NODE_ENV === 'production'
  // Whatever ships the log takes lines of JSON and nothing else.
  if (isProduction) tell = (err) => app.log.fatal({ err }, 'the service ends because of an error')
  undo.push(async () => {
    app.beginShutdown() // not ready from now on; a load balancer has the delay to notice
    await delay(config.SHUTDOWN_DELAY_MS)
    const overdue = setTimeout(() => app.server.closeAllConnections(), config.SHUTDOWN_TIMEOUT_MS)
    await app.close()
    clearTimeout(overdue)
  })
  const address = await app.listen({ host: config.HOST, port: config.PORT })
  if (isProduction) app.log.info({ address }, 'Eden ERP is ready')
  else console.log(welcome(config, address))
} catch (error) {
  fail(error)
  await stop().catch(fail)
  process.exit()
}
