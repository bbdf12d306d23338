// Writes dist/build.json: which commit was built, and when. Plain Node, run by `npm run build`.
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'

function commit () {
  if (process.env.GIT_COMMIT) return process.env.GIT_COMMIT
  try {
    return execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return null // no repository, as in an image
  }
}

writeFileSync(new URL('../dist/build.json', import.meta.url), JSON.stringify({ commit: commit(), built_at: new Date().toISOString() }) + '\n')
