import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { coverageOf } from './coverage.js'

t.test('lines of the source are counted, those that ran in any process and those that ran in none', async (t) => {
  const folder = t.testdir({
    'sum.ts': `
export function sum (a: number, b: number): number {
  return a + b
}

export function product (a: number, b: number): number {
  const result = a * b
  return result
}

export function difference (a: number, b: number): number {
  return a - b
}
`.trimStart(),
    'first.ts': "import { sum } from './sum.js'\nconsole.log(sum(1, 2))\n",
    'second.ts': "import { difference } from './sum.js'\nconsole.log(difference(1, 2))\n",
    'package.json': '{ "type": "module" }',
    collected: {}
  })
  const collected = join(folder, 'collected')
  // In a whole run tap counts in every process that is started, and Node would count nothing: not in these.
  const env = { PATH: process.env.PATH, NODE_V8_COVERAGE: collected, _TAPJS_PROCESSINFO_COVERAGE_: '0' }
  for (const file of ['first.ts', 'second.ts']) {
    await promisify(execFile)(process.execPath, ['--import=tsx', join(folder, file)], { env })
  }
  // As a test file writes it: only what is the project's, without the sources.
  for (const name of await readdir(collected)) {
    const written = JSON.parse(await readFile(join(collected, name), 'utf8')) as { result: { url: string }[], 'source-map-cache': Record<string, { data: { sourcesContent: unknown } }> }
    written.result = written.result.filter(({ url }) => url.endsWith('/sum.ts'))
    for (const { data } of Object.values(written['source-map-cache'])) data.sourcesContent = [null]
    await writeFile(join(collected, name), JSON.stringify(written))
  }
  const { lines, covered, percent } = await coverageOf(collected, join(folder, 'report'))
  t.same({ lines, covered }, { lines: 12, covered: 9 }, 'what is in product did not run')
  t.equal(percent.toFixed(1), '75.0')
})
