import t from 'tap'
import { Recorder } from '../../plugins/metrics/window.js'

const answer = (milliseconds: number, failed = false) => ({ isProbe: false, failed, milliseconds })

await t.test('percentiles are those of what was recorded, to a thousandth', async (t) => {
  const recorder = new Recorder(300, () => 0)
  for (let i = 1; i <= 1000; i++) recorder.answer(answer(i))
  const { avg, min, max, p50, p95, p99 } = recorder.durationsSinceStart()
  const near = (found: number, wanted: number) => t.ok(Math.abs(found - wanted) / wanted < 0.002, `${found} is ${wanted}`)
  near(avg, 500.5)
  near(min, 1)
  near(max, 1000)
  near(p50, 500)
  near(p95, 950)
  near(p99, 990)
  t.same(recorder.durationsLately(), recorder.durationsSinceStart())
})

await t.test('the window forgets slot by slot, the start forgets nothing', async (t) => {
  let now = 0
  const recorder = new Recorder(10, () => now)
  recorder.answer(answer(100, true))
  recorder.query(5, true)
  now = 5_000
  recorder.answer(answer(10))
  t.match(recorder.lately(), { answers: 2, requests: 2, errors: 1, queries: 1, queryErrors: 1, seconds: 5 })
  now = 9_999
  t.equal(recorder.lately().requests, 2)
  now = 10_000
  t.match(recorder.lately(), { requests: 1, errors: 0, queries: 0, seconds: 10 })
  t.equal(recorder.durationsLately().max < 11, true)
  now = 1_000_000 // much longer than the window, with nothing in between
  t.match(recorder.lately(), { answers: 0, requests: 0, seconds: 10 })
  t.same(recorder.durationsLately(), { avg: 0, min: 0, max: 0, p50: 0, p95: 0, p99: 0 })
  t.ok(recorder.durationsSinceStart().max >= 100)
})

await t.test('probes are answers and no requests; what takes as long as the line has no time', async (t) => {
  const recorder = new Recorder(10, () => 0)
  recorder.answer({ isProbe: true, failed: true, milliseconds: 5 })
  recorder.answer({ isProbe: false, failed: false, milliseconds: undefined })
  t.match(recorder.lately(), { answers: 2, requests: 1, errors: 0 })
  t.equal(recorder.durationsLately().max, 0)
})
