import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { publicPrefix } from './public-routes.js'

/** An answer of the API is no page: should a browser take it for one, it may load, run, and be framed by nothing. */
const API_POLICY = {
  'default-src': ["'none'"],
  'frame-ancestors': ["'none'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"]
}

/** The one inline style of Swagger UI, in the picture of its name; a test holds this to the files that are served. */
const LOGO_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"

/** `/docs` is one: its own scripts and styles, all of them files, and requests to this service. No script inline, nothing from elsewhere. */
export const PAGE_POLICY = Object.entries({
  ...API_POLICY,
  'script-src': ["'self'"],
  'style-src': ["'self'", LOGO_STYLE],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"]
}).map(([name, values]) => `${name} ${values.join(' ')}`).join(';')

const isPage = ({ routeOptions: { url } }: FastifyRequest) => url === '/docs' || url?.startsWith(publicPrefix) === true

/**
 * Security headers on every answer, refusals included. What is somebody's own is kept by no shared cache, and by a browser
 * only to be asked for again (`no-cache`: the ETag then saves the body); a route that says otherwise is left alone.
 */
export default fp(async function securityHeaders (app) {
  await app.register(helmet, {
    global: true,
    contentSecurityPolicy: { useDefaults: false, directives: API_POLICY },
    frameguard: { action: 'deny' },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    // Over plain HTTP browsers ignore it; on a developer's machine it would stick to a host name.
    hsts: app.config.NODE_ENV === 'production' ? { maxAge: 31_536_000, includeSubDomains: true } : false
  })
  app.addHook('onSend', async (request, reply) => {
    if (isPage(request)) reply.header('content-security-policy', PAGE_POLICY)
    else if (!reply.hasHeader('cache-control')) reply.header('cache-control', request.method === 'GET' || request.method === 'HEAD' ? 'private, no-cache' : 'no-store')
  })
}, { name: 'security-headers', dependencies: ['settings'] })
