import t from 'tap'
import { parseWish } from '../../modules/search/rules.js'
import { startApp } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject({ code: 'HW-014', name: 'Hospital wing', description: 'Chilled water plant and isolation rooms' })
const chiller = await s.addTask(project.id, { title: 'Commission chiller CH-2', description: 'Check the flow of glycol first.' })
const valves = await s.addTask(project.id, { title: 'Order balancing valves', description: 'For the chiller plant, and the spare parts.' })
await s.addTask(project.id, { title: 'Site safety walk' })
const comment = await s.post(`/api/tasks/${valves.id}/comments`, { body: 'The vendor asks for the flange rating of the <b>glycol</b> loop' })
const find = async (q: string, rest = '', as = s.admin) => s.get(`/api/search?q=${encodeURIComponent(q)}${rest}`, { as })
const kinds = (hits: { type: string, id: string }[]) => hits.map(({ type, id }) => `${type} ${id}`)

await t.test('words are found in projects, tasks and comments, a title before a description', async (t) => {
  t.same(kinds(await find('chiller')), [`task ${chiller.id}`, `task ${valves.id}`])
  t.same(kinds(await find('hospital')), [`project ${project.id}`])
  t.same(kinds(await find('flange')), [`comment ${comment.id}`])
  t.match(await find('flange'), [{ type: 'comment', task_id: valves.id, project_id: project.id, key: valves.key, title: valves.title }])
})

await t.test('a snippet is plain text with the words marked', async (t) => {
  t.ok((await find('glycol'))[0].snippet.includes('\u0002glycol\u0003'))
  const [hit] = await find('glycol', '&type=comment')
  t.ok(hit.snippet.includes('\u0002glycol\u0003'))
})

await t.test('phrases, or, and words to leave out work; the last word may be a beginning', async (t) => {
  t.same(kinds(await find('"balancing valves"')), [`task ${valves.id}`])
  t.same(await find('"valves balancing"'), [])
  t.same(kinds(await find('commission or flange', '&type=task')), [`task ${chiller.id}`])
  t.same(kinds(await find('chiller -commission')), [`task ${valves.id}`])
  t.same(kinds(await find('chiller comm')), [`task ${chiller.id}`])
  t.same(await find('nothing like it'), [])
})

await t.test('a key finds its task first, and a code its project, in whatever case', async (t) => {
  t.equal((await find(valves.key.toLowerCase()))[0].id, valves.id)
  t.same(kinds(await find('hw-014'))[0], `project ${project.id}`)
})

await t.test('only what the caller sees is found, and only what is there', async (t) => {
  const secret = await s.addProject({ visibility: 'members', name: 'Zeppelin hangar' })
  const hidden = await s.addTask(secret.id, { title: 'Zeppelin mooring' })
  await s.post(`/api/tasks/${hidden.id}/comments`, { body: 'Zeppelin indeed' })
  t.equal((await find('zeppelin')).length, 3)
  t.same(await find('zeppelin', '', s.member), [])
  t.same(await find(hidden.key, '', s.member), [])
  await s.ask('DELETE', `/api/tasks/${hidden.id}`)
  t.same(kinds(await find('zeppelin')), [`project ${secret.id}`])
  await s.ask('DELETE', `/api/projects/${secret.id}`)
  t.same(await find('zeppelin'), [])
})

await t.test('it can be narrowed to kinds and projects, and to the best few', async (t) => {
  const other = await s.addProject({ name: 'Other' })
  const elsewhere = await s.addTask(other.id, { title: 'Chiller rental' })
  t.same(kinds(await find('chiller', `&project=${other.id}`)), [`task ${elsewhere.id}`])
  t.equal((await find('chiller', '&limit=1')).length, 1)
  t.same(await find('chiller', '&type=project,comment'), [])
})

await t.test('what people type is never a syntax error', async (t) => {
  for (const q of ['"', '-', '&', 'a & | !', ':*', "'", '\\', '(((', 'a:b', '🚧', 'or', 'the', 'the of', '"open phrase', 'x-y-1', '-1', `${'a '.repeat(99)}b`]) {
    t.equal((await s.ask('GET', `/api/search?q=${encodeURIComponent(q)}`)).statusCode, 200, q)
  }
})

await t.test('what is no search is refused, and what is no word finds nothing', async (t) => {
  for (const q of ['', ' ', 'a\0b', 'x'.repeat(201), 'x'.repeat(7_000), 'a\u0002']) t.equal((await s.ask('GET', `/api/search?q=${encodeURIComponent(q)}`)).statusCode, 400, q.slice(0, 9))
  for (const q of ['🚧', '& | ! ( ) :*', '"" -', '-glycol -chiller nothing', 'the']) t.same(await find(q), [], q)
})

await t.test('of a word on very many tasks and comments the best are found among what the index has first and among the latest', async (t) => {
  const [big, small] = [await s.addProject({ visibility: 'members' }), await s.addProject({ visibility: 'members' })]
  const fill = (id: string, from: number, to: number) => s.query(`
    insert into tasks (id, project_id, number, title, ball_since, last_activity_at, created_by, created_at, updated_at)
    select gen_random_uuid(), $1, n, 'Flooded basement, somewhere near', now(), now(), $2, now() - n * interval '1 second', now() - n * interval '1 second' from generate_series($3::int, $4::int) n`, [id, s.admin.id, from, to])
  await s.query('update project_counters set last_task_number = 30000 where project_id = $1', [big.id])
  await fill(big.id, 1, 5200)
  const latest = await s.addTask(big.id, { title: 'Flooded', description: 'flooded flooded' })
  await s.query("insert into comments (id, task_id, author_id, body, created_at, updated_at) select gen_random_uuid(), $1, $2, 'Flooded, I hear, and more', now(), now() from generate_series(1, 5200)", [latest.id, s.admin.id])
  t.equal((await find('flooded'))[0].id, latest.id)
  t.equal((await find('flooded', '&type=comment&limit=50')).length, 50)
  const mine = [await s.addTask(small.id, { title: 'Flooded' }), await s.addTask(small.id, { title: 'Flooded shaft' })]
  const own = await s.post(`/api/tasks/${mine[0].id}/comments`, { body: 'Flooded again' })
  await s.ask('PUT', `/api/projects/${small.id}/members/${s.viewer.id}`, { body: { role: 'viewer' } })
  const seen = await find('flooded', '', s.viewer)
  t.same(seen.map(({ id }: { id: string }) => id).sort(), [...mine.map(({ id }) => id), own.id].sort(), 'who sees few tasks is shown all of theirs')
  t.same((await find('-shaft floo', '&type=task', s.viewer)).map(({ id }: { id: string }) => id), [mine[0].id])
})

await t.test('a search is taken apart as it was meant', async (t) => {
  t.same(parseWish('cooling tow'), { words: 'cooling ', beginning: 'tow', key: undefined })
  t.same(parseWish('"cooling tow'), { words: '"cooling tow', key: undefined })
  t.same(parseWish('pump or'), { words: 'pump or', key: undefined })
  t.same(parseWish('pump -valve'), { words: 'pump -valve', key: undefined })
  t.same(parseWish('PS-001-42'), { words: 'PS-001-42', key: { code: 'PS-001', number: 42 } })
})
