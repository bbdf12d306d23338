import cors from '@fastify/cors'
import fp from 'fastify-plugin'

/** How long a browser may remember a preflight: as long as the most patient one does. */
const PREFLIGHT_SECONDS = 7200

/**
 * Which web pages may call. An origin is compared as a whole, so that neither a longer host, another port nor `null` is taken
 * for one on the list. Only for those on it does an answer speak of CORS at all, credentials included; for others an
 * answer says no more than that it depends on the origin, and a preflight is a 404.
 */
export default fp(async function crossOrigin (app) {
  const origins = new Set(app.config.CORS_ORIGINS.split(',').filter((origin) => origin !== ''))
  await app.register(cors, {
    origin: origins.size === 0 ? false : (origin, tell) => tell(null, origin !== undefined && origins.has(origin) ? origin : false),
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    // By name: without a list the preflight would repeat whatever it was asked for, byte by byte.
    allowedHeaders: ['Accept', 'Authorization', 'Cache-Control', 'Content-Type', 'Idempotency-Key', 'If-Match', 'If-None-Match', 'Last-Event-ID', 'Range', 'X-Requested-With', 'X-Request-Id', 'X-Dev-Email', 'X-Dev-User-Email', 'X-Dev-User-Id'],
    exposedHeaders: ['Content-Disposition', 'Content-Range', 'ETag', 'Link', 'Location', 'X-Total-Count', 'X-Request-Id', 'Idempotency-Replayed', 'Retry-After', 'RateLimit', 'RateLimit-Policy'],
    maxAge: PREFLIGHT_SECONDS
  })
}, { name: 'cross-origin', dependencies: ['settings'] })
