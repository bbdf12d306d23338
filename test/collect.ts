/**
 * Loaded into the process of a test file before it (`--import`): counts what runs of the code below EDEN_TEST_COMPILED, but for
 * the tests, and writes it at the end into EDEN_TEST_COVERAGE. NODE_V8_COVERAGE would write every package as well.
 */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { EDEN_TEST_COVERAGE: folder = '', EDEN_TEST_COMPILED: compiled = '' } = process.env
const code = `${pathToFileURL(compiled).href}/`
const tests = `${code}test/`

const session = new Session()
session.connect()
session.post('Profiler.enable')
session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
process.on('exit', () => {
  // Asked in this process, it answers at once.
  session.post('Profiler.takePreciseCoverage', (error, { result }) => {
    if (error !== null) throw error
    const own = result.filter(({ url }) => url.startsWith(code) && !url.startsWith(tests))
    writeFileSync(join(folder, `${process.pid}-${randomBytes(6).toString('hex')}.json`), JSON.stringify({ result: own }))
  })
})
