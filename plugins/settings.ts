import fp from 'fastify-plugin'
import type { Config } from './config.js'

/** Tells the time. Tests hand in one that stands still. */
export type Clock = () => Date

declare module 'fastify' {
  interface FastifyInstance {
    config: Config
    clock: Clock
  }
}

/** What the app was built with: `app.config` and `app.clock`. */
export default fp<{ config: Config, clock: Clock }>(async function settings (app, { config, clock }) {
  app.decorate('config', config)
  app.decorate('clock', clock)
}, { name: 'settings' })
