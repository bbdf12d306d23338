import t from 'tap'
import { mentionsIn } from '../../modules/tasks/comments/rules.js'
import { nextPage, startApp, type Person } from '../helper.js'

const s = await startApp(t)
const project = await s.addProject()
const jane = await s.addPerson('member', { name: 'Jane', email: 'jane.doe@example.com' })
const joao = await s.addPerson('member', { name: 'João', email: 'joão@example.com' })
const unknown = '01900000-0000-7000-8000-00000000dead'
const say = (task: { id: string }, body: string, as = s.member) => s.post(`/api/tasks/${task.id}/comments`, { body }, { as })

await t.test('a comment is by who is signed in, under the task, and says where it is', async (t) => {
  const task = await s.addTask(project.id)
  const answer = await s.ask('POST', `/api/tasks/${task.id}/comments`, { as: s.member, body: { body: 'Line one\n\tline two 🚧' } })
  t.equal(answer.statusCode, 201)
  const comment = answer.json()
  t.match(comment, { task_id: task.id, author_id: s.member.id, body: 'Line one\n\tline two 🚧', mentions: [], edited_at: null, version: 1, deleted_at: null })
  t.match(answer.headers, { location: `/api/comments/${comment.id}`, etag: '"1"' })
  t.same((await s.ask('GET', String(answer.headers.location))).json(), comment)
  t.equal((await s.ask('GET', `/api/comments/${comment.id}`, { headers: { 'if-none-match': '"1"' } })).statusCode, 304)
  const forged = await s.ask('POST', `/api/tasks/${task.id}/comments`, { as: s.member, body: { body: 'x', author_id: s.admin.id } })
  t.match(forged.json(), { status: 400, errors: [{ path: 'author_id' }] })
  const { last_activity_at: active, version } = await s.get(`/api/tasks/${task.id}`)
  t.same([active, version], [comment.created_at, 1], 'the task is active, and unchanged')
})

await t.test('a comment says something, and not too much, about a task that is there', async (t) => {
  const task = await s.addTask(project.id)
  for (const body of ['', '   \n ', 5, null, 'x'.repeat(10001), 'a\0b']) t.match((await s.ask('POST', `/api/tasks/${task.id}/comments`, { body: { body } })).json(), { status: 400, errors: [{ path: 'body' }] })
  t.equal((await s.ask('POST', `/api/tasks/${unknown}/comments`, { body: { body: 'x' } })).statusCode, 404)
  t.equal((await s.ask('GET', `/api/tasks/${unknown}/comments`)).statusCode, 404)
  t.equal((await s.ask('GET', `/api/comments/${unknown}`)).statusCode, 404)
  t.same(await s.get(`/api/tasks/${task.id}/comments`), [])
})

await t.test('comments are read from the first on, or from the last, in pages', async (t) => {
  const task = await s.addTask(project.id)
  const ids: string[] = []
  for (let n = 0; n < 10; n++) ids.push((await say(task, `${n}`)).id)
  await s.query('update comments set created_at = $2 where id = any($1)', [ids.slice(2, 6), (await s.get(`/api/comments/${ids[2]}`)).created_at])
  const expected = (await s.query('select id from comments where task_id = $1 order by created_at, id', [task.id])).map(({ id }) => id)
  for (const [sort, order] of [['created_at', expected], ['-created_at', [...expected].reverse()]] as const) {
    const seen: string[] = []
    for (let url: string | undefined = `/api/tasks/${task.id}/comments?limit=3&sort=${sort}&count=true`; url !== undefined;) {
      const answer = await s.ask('GET', url)
      t.equal(answer.headers['x-total-count'], '10')
      seen.push(...answer.json().map(({ id }: { id: string }) => id))
      url = nextPage(answer)
    }
    t.same(seen, order)
  }
})

await t.test('an @ names people by their mailbox or address, whatever the case, once each; nobody else', async (t) => {
  const gone = await s.addPerson('member', { email: 'gone.away@example.com', is_active: false })
  const task = await s.addTask(project.id)
  const mentions = async (body: string) => (await say(task, body)).mentions.map(({ id }: { id: string }) => id)
  t.same(await mentions('Hi @jane.doe, and @JANE.DOE!'), [jane.id])
  t.same(await mentions('(@jane.doe@example.com)'), [jane.id])
  t.same(await mentions('@mem.ber.'), [s.member.id], 'a full stop ends a sentence')
  t.same(await mentions('@joão @jane.doe'), [jane.id, joao.id].sort())
  for (const text of ['jane.doe@example.com', 'mail jane.doe', '@nobody.known', '@gone.away', '@jane', '@@jane.doe', '@jane.doe@elsewhere.org', 'a@jane.doe']) t.same(await mentions(text), [], text)
  t.notOk((await mentions(`@gone.away ${gone.email}`)).length)
})

await t.test('what is quoted as code, or is part of a URL, mentions nobody', async (t) => {
  const names = (body: string) => mentionsIn(body).join()
  for (const body of ['`@jane.doe`', '`a`` @jane.doe `', '``a ` @jane.doe``', '```\n@jane.doe\n```', '~~~ts\n@jane.doe', '> ```\n> @jane.doe\n> ```', '````\n```\n@jane.doe\n````', 'https://example.com/@jane.doe', '- x\n\n  ```sh\n  @jane.doe\n  ```']) t.equal(names(body), '', body)
  for (const body of ['` @jane.doe', '`a` @jane.doe `b`', '```\nx\n```\n@jane.doe', '``` @jane.doe ``', '`\n\n@jane.doe`', '\\`@jane.doe\\`', '~~~\n```\n~~~\n@jane.doe', 'a`b`@jane.doe']) t.equal(names(body), 'jane.doe', body)
  const hostile = ['`'.repeat(10_000), '` '.repeat(5000), Array.from({ length: 140 }, (_, n) => '`'.repeat(n)).join(' '), '\n'.repeat(10_000), '```\n'.repeat(2500), `${'@a.'.repeat(3333)}`, '>'.repeat(10_000)]
  for (const body of hostile) t.equal(typeof names(body), 'string')
})

await t.test('a comment\'s history has every text that it had, for who sees the comment', async (t) => {
  const secret = await s.addProject({ visibility: 'members' })
  for (const { id } of [s.member, jane]) await s.ask('PUT', `/api/projects/${secret.id}/members/${id}`, { body: { role: 'member' } })
  const comment = await say(await s.addTask(secret.id), 'One')
  for (const body of ['Two', 'Two', 'Three']) await s.patch(`/api/comments/${comment.id}`, { body }, { as: s.member })
  const path = `/api/comments/${comment.id}/history`
  const history = await s.get(path, { as: jane })
  t.match(history, [{ version: 1, body: 'One', at: comment.created_at }, { version: 2, body: 'Two' }, { version: 3, body: 'Three' }])
  t.equal(history.length, 3, 'the same text again is none')
  const pages = [await s.ask('GET', `${path}?limit=2&count=true`)]
  pages.push(await s.ask('GET', String(nextPage(pages[0] as never))))
  t.same(pages.flatMap((page) => page.json()), history)
  t.equal(pages[0]?.headers['x-total-count'], '3')
  t.same((await s.get(`${path}?sort=-at`))[0], history[2])
  t.equal((await s.ask('GET', path, { as: s.viewer })).statusCode, 404)
  t.equal((await s.ask('GET', `/api/comments/${unknown}/history`)).statusCode, 404)
  await s.ask('DELETE', `/api/comments/${comment.id}`, { as: s.member })
  t.equal((await s.ask('GET', path)).statusCode, 404, 'a deleted comment shows nothing')
  await s.post(`/api/comments/${comment.id}/restore`, undefined, { as: s.member })
  t.same(await s.get(path), history, 'and comes back with all of it')
})

await t.test('a comment is changed by its author alone, whoever else may moderate', async (t) => {
  const task = await s.addTask(project.id)
  const comment = await say(task, 'First @jane.doe')
  const edit = (as: Person, body = 'Second @joão', headers?: Record<string, string>) => s.ask('PATCH', `/api/comments/${comment.id}`, { as, body: { body }, headers })
  for (const as of [s.admin, s.manager, jane]) t.match((await edit(as)).json(), { status: 403, code: 'EDEN_COMMENT_NOT_YOURS' })
  const edited = await edit(s.member)
  t.same([edited.statusCode, edited.headers.etag], [200, '"2"'])
  t.match(edited.json(), { body: 'Second @joão', mentions: [{ id: joao.id, name: joao.name }], version: 2, edited_at: edited.json().updated_at, created_at: comment.created_at })
  t.match((await edit(s.member)).json(), { version: 2 }, 'the same text again is no change')
  t.match((await edit(s.member, 'Third', { 'if-match': '"1"' })).json(), { status: 412, code: 'EDEN_STALE', current_version: 2 })
  t.equal((await edit(s.member, 'Third', { 'if-match': '"2"' })).statusCode, 200)
  t.equal((await s.ask('PATCH', `/api/comments/${comment.id}`, { as: s.member, body: {} })).statusCode, 400)
  const events = await s.get(`/api/activity?entity_id=${comment.id}`)
  t.match(events.map(({ action, version, changes, data }: any) => ({ action, version, changes, data })), [
    { action: 'updated', version: 3, changes: { body: ['Second @joão', 'Third'] } },
    { action: 'updated', version: 2, changes: { body: ['First @jane.doe', 'Second @joão'] }, data: { mentions: [joao.id] } },
    { action: 'created', version: 1, changes: { body: [null, 'First @jane.doe'] }, data: { mentions: [jane.id] } }
  ])
  t.equal(events.length, 3)
  t.same(await s.query('select 1 from comment_mentions where comment_id = $1', [comment.id]), [], 'a mention that is gone from the text is gone')
})

await t.test('a comment is deleted by its author or a moderator; others are refused, since they do see it', async (t) => {
  const task = await s.addTask(project.id)
  for (const [as, status] of [[jane, 403], [s.member, 200], [s.manager, 200], [s.admin, 200]] as const) {
    const comment = await say(task, 'x')
    const answer = await s.ask('DELETE', `/api/comments/${comment.id}`, { as })
    t.equal(answer.statusCode, status, as.name)
    if (status === 403) t.match(answer.json(), { code: /^EDEN_/ })
    else t.same(answer.json(), { deleted: true, id: comment.id })
    t.equal((await s.ask('GET', `/api/comments/${comment.id}`)).statusCode, status === 200 ? 404 : 200)
  }
  t.equal((await s.ask('DELETE', `/api/comments/${unknown}`)).statusCode, 404)
})

await t.test('a deleted comment is out of lists and counts, cannot be changed, and comes back with its mentions', async (t) => {
  const task = await s.addTask(project.id)
  const [comment, other] = [await say(task, 'Hello @jane.doe'), await say(task, 'Other')]
  t.match((await s.ask('DELETE', `/api/comments/${comment.id}`, { as: s.member, headers: { 'if-match': '"2"' } })).json(), { status: 412, current_version: 1 })
  t.equal((await s.ask('DELETE', `/api/comments/${comment.id}`, { as: s.member, headers: { 'if-match': '"1"' } })).statusCode, 200)
  const list = await s.ask('GET', `/api/tasks/${task.id}/comments?count=true`)
  t.match(list.json(), [{ id: other.id }])
  t.equal(list.headers['x-total-count'], '1')
  t.equal((await s.ask('PATCH', `/api/comments/${comment.id}`, { as: s.member, body: { body: 'x' } })).statusCode, 404)
  t.equal((await s.ask('DELETE', `/api/comments/${comment.id}`, { as: s.member })).statusCode, 404)
  t.not((await s.ask('POST', `/api/comments/${comment.id}/restore`, { as: jane })).statusCode, 200)
  const restored = await s.ask('POST', `/api/comments/${comment.id}/restore`, { as: s.member })
  t.same([restored.statusCode, restored.headers.etag], [200, '"3"'])
  t.match(restored.json(), { body: 'Hello @jane.doe', mentions: [{ id: jane.id, name: jane.name }], version: 3, deleted_at: null })
  t.equal((await s.ask('POST', `/api/comments/${comment.id}/restore`, { as: s.member })).statusCode, 404)
  t.same((await s.get(`/api/activity?entity_id=${comment.id}`)).map(({ action }: any) => action), ['restored', 'deleted', 'created'])
})

await t.test('edits of one comment at once leave the mentions of the last text, and a gapless log', async (t) => {
  const task = await s.addTask(project.id)
  const people = await Promise.all(Array.from({ length: 6 }, (_, n) => s.addPerson('member', { email: `p${n}@example.com` })))
  for (let round = 0; round < 5; round++) {
    const comment = await say(task, 'Start')
    const answers = await Promise.all(people.map((_, n) => s.ask('PATCH', `/api/comments/${comment.id}`, { as: s.member, body: { body: `Now @p${n}` } })))
    t.same(answers.map(({ statusCode }) => statusCode), Array(6).fill(200))
    const { body, mentions, version } = await s.get(`/api/comments/${comment.id}`)
    t.same(mentions.map(({ id }: { id: string }) => id), [people[Number(body.at(-1))]?.id], body)
    t.equal(version, 7)
    const log = await s.query('select changes -> \'body\' as body from activity_log where entity_id = $1 order by version', [comment.id])
    t.same(log.slice(1).map(({ body }) => body[0]), log.slice(0, -1).map(({ body }) => body[1]), 'each change begins where the one before ended')
  }
})

await t.test('of two edits from the same version one wins', async (t) => {
  const comment = await say(await s.addTask(project.id), 'x')
  const answers = await Promise.all(['One', 'Two'].map((body) => s.ask('PATCH', `/api/comments/${comment.id}`, { as: s.member, body: { body }, headers: { 'if-match': '"1"' } })))
  t.same(answers.map(({ statusCode }) => statusCode).sort(), [200, 412])
})
