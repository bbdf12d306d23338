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
  'GET /openapi.json',
  'GET /docs'
])

/** The page's own files, below /docs. */
export const publicPrefix = '/docs/'
