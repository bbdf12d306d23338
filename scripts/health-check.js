// Exits 0 when the service of this machine or container answers that it is alive, else 1. Plain Node: the image has no curl.
const url = `http://127.0.0.1:${process.env.PORT || 3000}/api/health/live`
try {
  const answer = await fetch(url, { signal: AbortSignal.timeout(4000) })
  process.exitCode = answer.ok ? 0 : 1
} catch {
  process.exitCode = 1
}
