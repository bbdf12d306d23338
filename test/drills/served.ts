import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { server } from '../program.js'
import type { Request } from './preload.js'

/** The service in a process of its own. */
export interface Served {
  /** Where it listens, such as `127.0.0.1:40123`. */
  address: string
  signal: (signal: NodeJS.Signals) => void
  /** Asks the preloaded part, which is not the service. */
  request: (request: Request) => void
  /** What it said so far. */
  output: () => string
  end: () => Promise<void>
}

/**
 * Runs server.ts with this environment and no other, and waits until it listens.
 * @param heapMebibytes what its heap may have
 * @throws with what it said when it ends before
 */
export async function serve ({ environment, heapMebibytes }: { environment: Record<string, string>, heapMebibytes: number }): Promise<Served> {
  const child = spawn(process.execPath, [
    `--max-old-space-size=${heapMebibytes}`,
    '--import', import.meta.resolve('./preload.js'),
    ...server
  ], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'development', HOST: '127.0.0.1', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc']
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => { said += chunk })
  const ended = once(child, 'close')
  const end = async () => {
    child.kill('SIGKILL')
    await ended
  }
  const listening = async (): Promise<string> => {
    for (;;) {
      const address = /^ {2}API +http:\/\/(\S+)\/api$/m.exec(said)?.[1]
      if (address !== undefined) return address
      await once(child.stdout as NodeJS.ReadableStream, 'data')
    }
  }
  const address = await Promise.race([listening(), ended.then(() => { throw new Error(`it never listened: ${said}`) })])
  return { address, signal: (signal) => { child.kill(signal) }, request: (request) => { child.send(request) }, output: () => said, end }
}
