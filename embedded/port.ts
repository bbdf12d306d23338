import { createServer } from 'node:net'

/** Whether nothing listens on this TCP port of 127.0.0.1 now. */
export function isFree (port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => { resolve(false) })
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => { server.close(() => { resolve(true) }) })
  })
}

/**
 * A TCP port of 127.0.0.1 that is free now; it may be taken by the time it is used, so the caller retries.
 * @param preferred tried first, in this order; below 32768 Linux does not give them to outgoing connections meanwhile
 */
export async function freePort (preferred: number[] = []): Promise<number> {
  for (const port of preferred) if (await isFree(port)) return port
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server.address()
      server.close(() => { resolve(address !== null && typeof address === 'object' ? address.port : 0) })
    })
  })
}
