import { spawn } from 'node:child_process'
import type { Account } from './account.js'

export interface Result {
  /** Exit code; 127 when the program could not be started at all. */
  code: number
  stdout: string
  stderr: string
}

/** What a child gets of our environment. PG*, LANG and LC_* would change what it does, and our secrets are not its own. */
const inherited = ['PATH', 'LD_LIBRARY_PATH', 'DYLD_LIBRARY_PATH']

/**
 * Runs a program to its end and never throws for how it ended.
 * @param options.account who runs it; default: we
 * @param options.cwd default `/`, the one folder every account can be in
 */
export function run (
  file: string, args: string[], { account, cwd = '/' }: { account?: Account, cwd?: string } = {}
): Promise<Result> {
  const env: NodeJS.ProcessEnv = { LC_ALL: 'C' }
  for (const name of inherited) if (process.env[name] !== undefined) env[name] = process.env[name]
  return new Promise((resolve) => {
    const result: Result = { code: 127, stdout: '', stderr: '' }
    // A group of its own: Ctrl-C in the terminal must not cut initdb or pg_ctl short.
    const child = spawn(file, args, {
      uid: account?.uid, gid: account?.gid, cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe']
    })
    child.stdout.setEncoding('utf8').on('data', (text: string) => { result.stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { result.stderr += text })
    child.on('error', (err) => { resolve({ ...result, stderr: err.message }) })
    child.on('close', (code) => { resolve({ ...result, code: code ?? 1 }) })
  })
}
