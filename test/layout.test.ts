import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'

const root = path.join(import.meta.dirname, '..')
const npm = promisify(execFile)

await t.test('every part imports only what it may', async (t) => {
  const { stdout } = await npm('npm', ['run', '--silent', 'check:layout'], { cwd: root }).catch((error) => error)
  t.match(stdout, /no dependency violations found \(\d{3,} modules/)
})
