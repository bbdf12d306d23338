import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { buildApp } from '../../app.js'
import { eventually, startApp } from '../helper.js'

const listeners = "from pg_stat_activity where datname = current_database() and application_name = 'eden-erp-listener'"
await t.test('one connection for all channels, opened when something first waits; it hears what anybody says, until the app closes', async (t) => {
  const s = await startApp(t)
  t.same(await s.query(`select 1 ${listeners}`), [], 'nobody waits, nothing is open')
  const heard: (string | undefined)[] = []
  for (const channel of ['one', 'Two "quoted"']) s.app.wakeups.subscribe(channel, (payload) => heard.push(payload && `${channel}: ${payload}`))
  await eventually(() => s.app.wakeups.isListening())
  t.same(heard, [undefined, undefined], 'something may have been missed before')
  t.equal((await s.query(`select 1 ${listeners}`)).length, 1)
  s.app.wakeups.subscribe('late', () => heard.push('late'))
  await eventually(() => heard.includes('late'))
  await s.query("select pg_notify('one', 'a'), pg_notify('nobody', 'b'), pg_notify('Two \"quoted\"', 'c')")
  await eventually(() => heard.length === 5)
  t.same(heard.slice(3), ['one: a', 'Two "quoted": c'])
  t.match((await s.app.inject('/metrics')).body, /^eden_db_listening 1$/m)
  await s.app.close()
  await eventually(async () => (await s.query(`select 1 ${listeners}`)).length === 0)
})

await t.test('a connection that is ended comes back, each time, and says that something may have been missed', async (t) => {
  const s = await startApp(t)
  const heard: (string | undefined)[] = []
  s.app.wakeups.subscribe('one', (payload) => heard.push(payload))
  for (let n = 1; n <= 3; n++) {
    await eventually(() => heard.length === n * 2 - 1 && s.app.wakeups.isListening())
    await s.query("select pg_notify('one', 'a')")
    await eventually(() => heard.length === n * 2)
    await s.query(`select pg_terminate_backend(pid) ${listeners}`)
  }
  await eventually(() => heard.length === 7)
  t.same(heard, [undefined, 'a', undefined, 'a', undefined, 'a', undefined])
})

await t.test('with DB_LISTEN=false there is no such connection; without a database it is tried again; closing waits for neither', async (t) => {
  const s = await startApp(t, { environment: { DB_LISTEN: 'false' } })
  s.app.wakeups.subscribe('one', () => t.fail('nobody says anything'))
  const lost = await buildApp({ ...s.app.config, DB_LISTEN: true, DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' })
  lost.wakeups.subscribe('one', () => t.fail('nobody says anything'))
  await delay(1)
  t.same([s.app.wakeups.isListening(), lost.wakeups.isListening()], [false, false])
  t.same(await s.query(`select 1 ${listeners}`), [])
  await lost.close()
})
