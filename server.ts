import { setTimeout as delay } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { buildApp } from './app.js'
import { openDevelopmentDatabase } from './commands/development-database.js'
import { welcome } from './commands/welcome.js'
import { parseConfig, readEnvironment } from './plugins/config.js'

/** How long the embedded PostgreSQL may take to stop, after the service has. */
const EMBEDDED_STOP_MS = 30_000

try {
  let config = parseConfig(readEnvironment())
  const undo: (() => Promise<unknown>)[] = []
  const shutdown = closeWithGrace({ delay: config.SHUTDOWN_DELAY_MS + config.SHUTDOWN_TIMEOUT_MS + EMBEDDED_STOP_MS, logger: false }, async ({ err }) => {
    if (err) console.error(err.message)
    for (const step of undo.reverse()) await step()
  })

  if (config.DATABASE_URL === undefined) {
    const embedded = await openDevelopmentDatabase(config, console.log)
    undo.push(() => embedded.stop())
    embedded.onLost((error) => { console.error(error.message); shutdown.close() })
    config = { ...config, DATABASE_URL: embedded.url, JWT_SECRET: config.JWT_SECRET ?? embedded.jwtSecret }
  }
  const app = await buildApp(config)
  undo.push(async () => {
    app.beginShutdown() // not ready from now on; a load balancer has the delay to notice
    await delay(config.SHUTDOWN_DELAY_MS)
    await app.close()
  })
  const address = await app.listen({ host: config.HOST, port: config.PORT })
  console.log(welcome(config, address))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
