/**
 * The one list of routes that answer without an identity; everything else declares a permission or does not start.
 * Reviewed as a whole: adding a line opens a door.
 */
export const publicRoutes: ReadonlySet<string> = new Set([
  'GET /health',
  'GET /api/health',
  'GET /api/health/live',
  'GET /api/health/ready',
  'GET /api/health/quick',
  'GET /api/health/detailed',
  'GET /api/health/metrics',
  'GET /api/health/status',
  'GET /db/ping',
  'GET /api/debug/dbinfo', // not in production
  'GET /version',
  'GET /metrics', // wants METRICS_TOKEN, where that is set
  'POST /api/auth/login', // by password
  'POST /api/auth/refresh', // by refresh token
  'POST /api/auth/logout', // by refresh token, or signs in by itself
  'POST /api/auth/password/forgot', // answers the same for every address
  'POST /api/auth/password/reset', // by a one-time link
  'POST /api/auth/invitations/accept', // by a one-time link
  'GET /api/guest/:token', // by the token of a guest link: what that shows, and nothing else
  'GET /openapi.json',
  'GET /docs'
])

/** The page's own files, below /docs. */
export const publicPrefix = '/docs/'
