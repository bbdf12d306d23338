import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { compile } from './compile.js'
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
    test: {
      'first.ts': "import { sum } from '../sum.js'\nconsole.log(sum(1, 2))\n",
      'second.ts': "import { difference } from '../sum.js'\nconsole.log(difference(1, 2))\n"
    },
    'package.json': '{ "type": "module" }',
    collected: {}
  })
  const [collected, compiled] = [join(folder, 'collected'), join(folder, 'compiled')]
  await compile(folder, compiled)
  for (const file of ['first.js', 'second.js']) {
    await promisify(execFile)(process.execPath, [`--import=${import.meta.resolve('./collect.js')}`, join(compiled, 'test', file)], {
      env: { PATH: process.env.PATH, EDEN_TEST_COVERAGE: collected, EDEN_TEST_COMPILED: compiled }
    })
  }
  const { lines, covered, percent } = await coverageOf({ compiled, collected, written: join(folder, 'report') })
  t.same({ lines, covered }, { lines: 12, covered: 9 }, 'what is in product did not run')
  t.equal(percent.toFixed(1), '75.0')
})
