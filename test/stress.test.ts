import type { AddressInfo } from 'node:net'
import t from 'tap'
import { buildApp } from '../app.js'
import { verifyCounts } from '../modules/reports/index.js'
import { startApp, type Person } from './helper.js'

/**
 * Many people on two instances who change the same few things at once, while the database ends connections at random.
 * Whatever was answered, nothing acknowledged is missing, nothing is half there, and the books balance.
 */
const ROUNDS = 900
const CLIENTS = 16

/** A small generator with a seed (mulberry32, public domain): the order of answers stays the machine's, the wishes repeat. */
function random (seed: number): () => number {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }
}

/** What must never be found, whatever happened. */
const wrongs: Record<string, string> = {
  'a task whose holds do not meet or do not sum to its age': `
    select t.id from tasks t join ball_holds h on h.task_id = t.id, (select now()) n (now) group by t.id, n.now
    having count(*) filter (where h.ended_at is null) <> 1 or sum(coalesce(h.ended_at, n.now) - h.started_at) <> n.now - t.created_at
      or max(h.no) <> t.ball_no or min(h.started_at) <> t.created_at`,
  'a ball that is not where its current hold is': `
    select t.id from tasks t join ball_holds h on h.task_id = t.id and h.no = t.ball_no
    where h.ended_at is not null or (h.user_id, h.company_id, h.contact_id) is distinct from (t.ball_in_court, t.ball_company_id, t.ball_contact_id) or h.started_at <> t.ball_since`,
  'a pause out of its hold, over another, or other than the task says': `
    select b.task_id from ball_pauses b left join ball_holds h on h.task_id = b.task_id and h.no = b.hold_no
    where h.no is null or b.started_at < h.started_at or coalesce(b.ended_at, 'infinity') > coalesce(h.ended_at, 'infinity')
    union all select a.task_id from ball_pauses a join ball_pauses b on b.task_id = a.task_id and b.started_at > a.started_at where coalesce(a.ended_at, 'infinity') > b.started_at
    union all select t.id from tasks t full join (select * from ball_pauses where ended_at is null) b on b.task_id = t.id where t.ball_paused_since is distinct from b.started_at`,
  'a ball at a company or contact that is deleted': `
    select t.id from tasks t left join companies o on o.id = t.ball_company_id left join contacts c on c.id = t.ball_contact_id
    where t.is_open and t.deleted_at is null and coalesce(o.deleted_at, c.deleted_at) > t.ball_since
      -- A task that comes back finds its ball where it was, whatever has become of that.
      and not exists (select from activity_log a where a.entity_id = t.id and a.action = 'restored' and a.created_at > coalesce(o.deleted_at, c.deleted_at))`,
  'a version without its one event': `
    select entity_type, entity_id from activity_log where action not in ('ball_acknowledged', 'ball_nudged', 'member_added') group by 1, 2
    having count(*) <> count(distinct version) or max(version) <> count(*)`,
  'a task that is at another version than its last event': `
    select t.id from tasks t where version <> (select max(version) from activity_log a where a.entity_type = 'task' and a.entity_id = t.id)`,
  'an old value that is not the new value before it': `
    select * from (select entity_id, version, key, value -> 0 as old, lag(value -> 1) over w as before, row_number() over w as n
      from activity_log a, jsonb_each(a.changes) where entity_type = 'task' window w as (partition by entity_id, key order by version)) x
    where n > 1 and old is distinct from before`,
  'events whose times or positions are not in the order of versions': `
    select * from (select entity_id, created_at, position, lag(created_at) over w as earlier, lag(position) over w as lower
      from activity_log a join event_positions e on e.event_id = a.id where entity_type = 'task' and action not in ('ball_acknowledged', 'ball_nudged') window w as (partition by entity_id order by version)) x
    where created_at <= earlier or position <= lower`,
  'a gap in the positions': `
    select from event_positions having count(*) <> max(position) or count(*) <> (select count(*) from activity_log)
      or max(position) <> (select last_position from event_sequencer) or exists (select from event_outbox)`,
  'a notification too few or too many': `
    with due as (
      select a.id, u.user_id from activity_log a cross join lateral (
        select (changes -> 'assignee_id' ->> 1)::uuid as user_id where entity_type = 'task'
        union select (changes -> 'ball_in_court' ->> 1)::uuid where entity_type = 'task'
        union select value::uuid from jsonb_array_elements_text(case when action = 'ball_nudged' then data -> 'to' end)
        union select value::uuid from jsonb_array_elements_text(case when entity_type = 'comment' then data -> 'mentions' end)
      ) u where u.user_id <> a.actor_id
    )
    , expected as (select d.user_id, a.task_id, count(*) as told from due d join activity_log a on a.id = d.id group by 1, 2),
    -- What came in short order is one row that counts its events.
    found as (select user_id, task_id, sum(event_count) as told from notifications group by 1, 2)
    (select * from expected except select * from found) union all (select * from found except select * from expected)`,
  'a notification that is not at the position of its newest event': `
    select n.id from notifications n left join event_positions e on e.event_id = n.event_id where n.position is distinct from e.position`,
  'a number that was skipped or given twice': `
    select c.project_id from project_counters c join (select project_id, max(number) as last, count(*) as tasks from tasks group by 1) t using (project_id)
    where c.last_task_number <> last or last <> tasks`,
  'a repeated request that was done twice': "select title from tasks where title like 'once %' group by 1 having count(*) > 1"
}

await t.test('two instances, many writers, and connections that are cut: the books balance and nothing acknowledged is missing', async (t) => {
  const s = await startApp(t)
  const other = await buildApp(s.app.config)
  t.teardown(() => other.close())
  const bases: string[] = []
  for (const app of [s.app, other]) {
    await app.listen({ host: '127.0.0.1', port: 0 })
    bases.push(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  }
  const seed = Number(process.env.EDEN_STRESS_SEED ?? Math.floor(Math.random() * 1e6))
  t.comment(`EDEN_STRESS_SEED=${seed}`)
  const next = random(seed)
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)] as T
  const people = [s.admin, await s.addPerson('admin'), await s.addPerson('admin'), await s.addPerson('admin')]

  const broken: string[] = []
  async function send (method: string, path: string, body?: unknown, { as = pick(people), key }: { as?: Person, key?: string } = {}) {
    const headers = { 'x-dev-email': as.email, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(key === undefined ? {} : { 'idempotency-key': key }) }
    const answer = await fetch(pick(bases) + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
    const text = await answer.text()
    if (answer.status === 500) broken.push(`${method} ${path} ${text}`)
    return { status: answer.status, body: JSON.parse(text) }
  }

  const projects = await Promise.all([1, 2].map(() => s.addProject()))
  const tasks: string[] = (await Promise.all(Array.from({ length: 8 }, (_, i) => s.addTask(projects[i % 2].id)))).map(({ id }) => id)
  const companies = await Promise.all(['One', 'Two'].map((name) => s.post('/api/companies', { name, kind: 'vendor' })))
  const contacts = await Promise.all(companies.map(({ id }) => s.post(`/api/companies/${id}/contacts`, { name: 'Someone' })))
  const promised = { tasks: new Set<string>(), comments: new Set<string>() }

  const wishes: (() => Promise<unknown>)[] = [
    () => send('PATCH', `/api/tasks/${pick(tasks)}`, { status: pick(['open', 'todo', 'in_progress', 'review', 'done', 'closed']) }),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball`, { to_user_id: pick([...people.map(({ id }) => id), null]) }),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball`, pick([{ to_company_id: pick(companies).id }, { to_contact_id: pick(contacts).id }])),
    () => send('DELETE', pick([`/api/companies/${pick(companies).id}`, `/api/contacts/${pick(contacts).id}`])),
    () => send('POST', pick([`/api/companies/${pick(companies).id}/restore`, `/api/contacts/${pick(contacts).id}/restore`])),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball/ack`),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball/nudge`),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball/pause`, { reason: 'Waiting' }),
    () => send('POST', `/api/tasks/${pick(tasks)}/ball/resume`),
    () => send('PATCH', `/api/tasks/${pick(tasks)}`, { title: `Title ${next()}`, assignee_id: pick(people).id }),
    () => send('PATCH', `/api/tasks/${pick(tasks)}`, { base_version: 1 + Math.floor(next() * 5), description: `Merged ${next()}` }),
    () => send('POST', '/api/tasks/bulk', { changes: [...new Set([pick(tasks), pick(tasks), pick(tasks)])].map((id) => ({ id, set: { priority: pick(['low', 'high']), assignee_id: pick(people).id } })) }),
    () => send('DELETE', `/api/tasks/${pick(tasks)}`),
    () => send('POST', `/api/tasks/${pick(tasks)}/restore`),
    () => send('POST', `/api/tasks/${pick(tasks)}/restore`),
    async () => {
      const { status, body } = await send('POST', `/api/tasks/${pick(tasks)}/comments`, { body: `Hello @${pick(people).email.split('@')[0]}` })
      if (status === 201) promised.comments.add(body.id)
    },
    async () => {
      const key = `once ${next()}`.replace(' ', '-')
      const [as, project] = [pick(people), pick(projects).id]
      const ask = () => send('POST', `/api/projects/${project}/tasks`, { title: key.replace('-', ' ') }, { as, key })
      for (const { status, body } of [...await Promise.all([ask(), ask()]), await ask()]) if (status === 201) promised.tasks.add(body.id)
    },
    () => s.query("select pg_terminate_backend(pid) from (select pid from pg_stat_activity where application_name = 'eden-erp' and datname = current_database() order by random() limit 1) victim")
  ]
  let rounds = 0
  await Promise.all(Array.from({ length: CLIENTS }, async () => { while (rounds++ < ROUNDS) await pick(wishes)() }))
  for (const app of [s.app, other]) {
    // The first try may meet a connection that was cut.
    while ((await s.query('select from event_outbox union all select from event_cursors where position < (select last_position from event_sequencer)')).length > 0) {
      app.events.poke()
      await app.events.settled()
    }
  }

  t.same(broken, [], 'no request was answered by a 500')
  t.ok(promised.tasks.size > 20 && promised.comments.size > 10, 'much was acknowledged')
  for (const [name, query] of Object.entries(wrongs)) t.same(await s.query(query), [], name)
  t.same(await verifyCounts(s.app.db), [], 'a count that is not that of the tasks')
  const there = async (table: string, ids: Set<string>) => (await s.query(`select count(*)::int from ${table} where id = any($1)`, [[...ids]]))[0].count
  t.equal(await there('tasks', promised.tasks), promised.tasks.size, 'every acknowledged task is there')
  t.equal(await there('comments', promised.comments), promised.comments.size, 'every acknowledged comment is there')
})
