import Fastify, { type FastifyInstance } from 'fastify'
import { registerModules } from './modules/index.js'
import type { Config } from './plugins/config.js'
import { answerClientError, answerFrameworkError } from './plugins/errors.js'
import { registerPlugins } from './plugins/index.js'
import { serverLimits } from './plugins/limits.js'
import { trustedProxies } from './plugins/proxies.js'
import { loggerOptions, requestId } from './plugins/request-log.js'
import type { Clock } from './plugins/settings.js'
import { schemaController } from './plugins/validation.js'

/**
 * Builds the whole service: what every request passes through, then what the company does. It neither listens nor reads
 * the environment; `config.DATABASE_URL` must be set.
 */
export async function buildApp (config: Config, { clock = () => new Date() }: { clock?: Clock } = {}): Promise<FastifyInstance> {
  const app = Fastify({
    ...loggerOptions(config),
    schemaController: schemaController(config),
    genReqId: requestId,
    requestIdHeader: false,
    trustProxy: trustedProxies(config.TRUST_PROXY),
    http: serverLimits(config),
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT_MS,
    bodyLimit: config.BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: 1000 },
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
    return503OnClosing: true
  })
  await registerPlugins(app, { config, clock })
  await registerModules(app)
  return app
}
