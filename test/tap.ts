/**
 * What test/run.ts starts to run compiled test files, each in a process of its own: tap without its command line, whose loaders
 * pass every module of every process through another thread. Its arguments are the names of the files in their order.
 */
import { fileURLToPath } from 'node:url'
import t from 'tap'

const files = process.argv.slice(2)
/** Seconds for one file, and for each test in it; a run by hand that is to be long says how long. */
const seconds = Number(process.env['EDEN_TEST_TIMEOUT_S'] ?? 300)
const collect = process.env['EDEN_TEST_COVERAGE'] === undefined ? [] : [`--import=${import.meta.resolve('./collect.js')}`]

t.setTimeout(0)
t.jobs = Math.min(files.length, Number(process.env['EDEN_TEST_JOBS']))
t.plan(files.length)
for (const name of files) {
  const compiled = fileURLToPath(import.meta.resolve(`../${name.replace(/\.ts$/, '.js')}`))
  // tap puts its loader into NODE_OPTIONS: `env` takes it out again.
  const args = [`TAP_TIMEOUT=${seconds}`, `NODE_OPTIONS=${process.env['NODE_OPTIONS'] ?? ''}`, process.execPath, '--enable-source-maps', ...collect, compiled]
  t.spawn('/usr/bin/env', args, { name, timeout: seconds * 1000, buffered: t.jobs > 1, stdio: 'inherit' })
}
