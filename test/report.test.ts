import t from 'tap'
import { createReport } from './report.js'

const run = (tap: string) => {
  const said: string[] = []
  const report = createReport((line) => said.push(line))
  for (const line of tap.split('\n')) report.line(line)
  return { said: said.join('\n'), totals: report.totals }
}

t.test('a file that passes is one line; what its tests say, and what they skip and why, is passed on', async (t) => {
  const { said, totals } = run(`TAP version 14
1..1
# Subtest: test/a.test.ts
    # Subtest: adds
        ok 1 - should be equal
        hello from a test
        # and a comment
        ok 2 - later # SKIP not here
        1..2
    ok 1 - adds # time=5.538ms
    
    1..1
    # time=11.699ms
ok 1 - test/a.test.ts # time=1211.699ms

# { total: 2, pass: 1, skip: 1 }
# time=978.201ms`)
  t.equal(said, '    hello from a test\n    and a comment\n  skipped: test/a.test.ts > adds > later > not here\nok   test/a.test.ts  1.2 s')
  t.same(totals, { passed: 1, failed: 0, skipped: 1 })
})

t.test('a failed assertion is shown once, with its path, difference and place', async (t) => {
  const { said, totals } = run(`# Subtest: test/b.test.ts
    # Subtest: outer
        # Subtest: inner
            ok 1 - fine
            not ok 2 - should be equal
              ---
              compare: ===
              at:
                fileName: test/b.test.ts
                lineNumber: 4
              stack: |
                Test.<anonymous> (test/b.test.ts:4:5)
              diff: |
                --- expected
                +++ actual
                -4
                +3
              ...
            
            not ok 3 - one day # TODO
            1..3
        not ok 1 - inner # time=2ms
          ---
          at:
            fileName: test/b.test.ts
          ...
        
        1..1
    not ok 1 - outer # time=14.337ms
      ---
      at:
        fileName: test/b.test.ts
      ...
    
    1..1
not ok 1 - test/b.test.ts # time=100ms
  ---
  stdio: inherit
  args:
    - --import=file:///x
  exitCode: 1
  signal: null
  ...

# { total: 3, pass: 1, fail: 1, todo: 1 }`)
  t.equal(said, `
  ✖ outer > inner > should be equal
    compare: ===
    stack: |
      Test.<anonymous> (test/b.test.ts:4:5)
    diff: |
      --- expected
      +++ actual
      -4
      +3
FAIL test/b.test.ts  0.1 s`)
  t.same(totals, { passed: 1, failed: 1, skipped: 1 })
})

t.test('a file that ends without a failed assertion says how it ended', async (t) => {
  const { said } = run(`# Subtest: test/c.test.ts
    1..0
not ok 1 - test/c.test.ts # time=100ms
  ---
  cwd: /x
  args:
    - --import=file:///x
  exitCode: 3
  signal: null
  ...`)
  t.equal(said, '\n  ✖ test/c.test.ts > ended badly\nFAIL test/c.test.ts  0.1 s\n    exitCode: 3\n    signal: null')
})

t.test('a failure of the run itself is not laid at the door of the last file', async (t) => {
  const { said } = run(`# Subtest: test/d.test.ts
    ok 1 - fine
    1..1
ok 1 - test/d.test.ts # time=100ms

not ok 2 - something of the run`)
  t.equal(said, 'ok   test/d.test.ts  0.1 s\n\n  ✖ something of the run > ended badly\nFAIL something of the run')
})
