import t, { type Test } from 'tap'
import { buildApp } from '../../app.js'
import { eventually, startApp, type Person, type TestApp } from '../helper.js'

type App = TestApp['app']
const listeners = "from pg_stat_activity where datname = current_database() and application_name = 'eden-erp-listener'"

/** Two instances on one database, which both listen, and what somebody gets from either. */
async function pair (t: Test, environment: Record<string, string> = {}) {
  const s = await startApp(t, { environment })
  const other = await buildApp(s.app.config)
  await other.ready()
  t.teardown(() => other.close())
  const get = async (app: App, person: Person, url = '/api/users', method: 'GET' | 'PUT' | 'DELETE' = 'GET') => {
    const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${app.jwt.sign({ sub: person.id })}` } })
    return answer.statusCode
  }
  return { s, other, get }
}
const count = async (app: App, result: string) => Number(new RegExp(`^eden_actor_lookups_total\\{result="${result}"\\} (\\d+)$`, 'm').exec((await app.inject('/metrics')).body)?.[1])
/** Until an instance remembers a person. */
async function warm (get: (app: App, person: Person) => Promise<number>, app: App, person: Person): Promise<void> {
  await eventually(async () => {
    const before = await count(app, 'hit')
    await get(app, person)
    return await count(app, 'hit') > before
  })
}

await t.test('what is taken through one instance is gone with the next request at the other, and what is given is there', async (t) => {
  const { s, other, get } = await pair(t)
  await warm(get, s.app, s.admin)
  for (let round = 0; round < 10; round++) {
    await warm(get, other, s.viewer)
    t.equal(await get(other, s.viewer), 200)
    t.equal(await get(s.app, s.admin, `/api/users/${s.viewer.id}/roles/viewer`, 'DELETE'), 200)
    t.equal(await get(other, s.viewer), 403, `taken, round ${round}`)
    t.equal(await get(s.app, s.viewer), 403)
    await warm(get, other, s.viewer)
    t.equal(await get(s.app, s.admin, `/api/users/${s.viewer.id}/roles/viewer`, 'PUT'), 200)
    t.equal(await get(other, s.viewer), 200, `given, round ${round}`)
  }
})

await t.test('who was sent away is nobody at the other instance, and what a role allows no more is refused there', async (t) => {
  const { s, other, get } = await pair(t)
  await Promise.all([warm(get, s.app, s.admin), warm(get, other, s.member), warm(get, other, s.viewer)])
  t.equal(await get(s.app, s.admin, `/api/users/${s.member.id}`, 'DELETE'), 200)
  t.equal(await get(other, s.member), 401)
  t.equal(await get(other, s.viewer), 200)
  await s.patch('/api/roles/00000000-0000-7000-8000-000000000004', { permissions: ['tasks:read'] })
  t.equal(await get(other, s.viewer), 403)
})

await t.test('a remembered person costs no statement; a change of theirs, or of everybody, is asked for again', async (t) => {
  const { s, get } = await pair(t)
  await warm(get, s.app, s.viewer)
  const [hits, misses] = [await count(s.app, 'hit'), await count(s.app, 'miss')]
  for (let n = 0; n < 5; n++) await get(s.app, s.viewer)
  t.same([await count(s.app, 'hit'), await count(s.app, 'miss')], [hits + 5, misses])
  for (const change of [`update users set name = 'Other' where id = '${s.viewer.id}'`, 'update roles set name = name', "insert into role_permissions select id, 'tasks:write' from roles where slug = 'viewer'", `delete from user_roles where user_id = '${s.viewer.id}'`]) {
    const before = await count(s.app, 'miss')
    await s.query(change)
    await s.app.actors.settled()
    await get(s.app, s.viewer)
    t.equal(await count(s.app, 'miss'), before + 1, change)
    await warm(get, s.app, s.viewer)
  }
  const before = await count(s.app, 'miss')
  await s.query("update users set name = 'Somebody else' where id = $1", [s.member.id])
  await s.app.actors.settled()
  await get(s.app, s.viewer)
  t.equal(await count(s.app, 'miss'), before, 'the others are still known')
})

await t.test('what was looked up while a change came is not remembered', async (t) => {
  const { s, get } = await pair(t)
  for (let round = 0; round < 20; round++) {
    await warm(get, s.app, s.viewer)
    await s.query("update users set name = 'Forgotten' where id = $1", [s.viewer.id])
    await s.app.actors.settled()
    const lookups = Array.from({ length: 3 }, () => get(s.app, s.viewer)) // of before the change, or after it
    await s.query('delete from user_roles where user_id = $1', [s.viewer.id])
    await s.app.actors.settled()
    t.equal(await get(s.app, s.viewer), 403, 'whichever came first')
    await Promise.all(lookups)
    t.equal(await get(s.app, s.viewer), 403, 'nor does a late answer bring it back')
    await s.query("insert into user_roles select $1, id from roles where slug = 'viewer'", [s.viewer.id])
    await s.app.actors.settled()
  }
})

await t.test('without a connection that listens nothing is remembered, and every answer is right', async (t) => {
  const { s, get } = await pair(t)
  await warm(get, s.app, s.viewer)
  for (let round = 0; round < 3; round++) {
    await s.query(`select pg_terminate_backend(pid) ${listeners}`)
    await eventually(() => !s.app.wakeups.isListening())
    await s.query('delete from user_roles where user_id = $1', [s.viewer.id])
    t.equal(await get(s.app, s.viewer), 403, 'nobody said so, but it is asked')
    await eventually(() => s.app.wakeups.isListening())
    t.equal(await get(s.app, s.viewer), 403, 'and what was known before the loss is forgotten')
    await s.query("insert into user_roles select $1, id from roles where slug = 'viewer'", [s.viewer.id])
    await s.app.actors.settled()
    await warm(get, s.app, s.viewer)
    t.equal(await get(s.app, s.viewer), 200)
  }
})

await t.test('with DB_LISTEN=false each request asks', async (t) => {
  const { s, get } = await pair(t, { DB_LISTEN: 'false' })
  for (let n = 0; n < 3; n++) t.equal(await get(s.app, s.viewer), 200)
  t.same([await count(s.app, 'hit'), await count(s.app, 'miss'), await count(s.app, 'off')], [0, 0, 3])
  await s.query('delete from user_roles where user_id = $1', [s.viewer.id])
  t.equal(await get(s.app, s.viewer), 403)
})
