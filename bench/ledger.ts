/**
 * What the ledger of counts gives and costs (docs/decisions/counts-from-a-ledger.md). Both sides run in turns, so that
 * whatever else the machine does falls on both.
 *
 *   npm run bench:ledger             reports by ledger and by index, on the database as it is; changes nothing
 *   npm run bench:ledger -- writes   changes of tasks with and without the triggers, 8 and 32 clients, on a scratch database
 *                                    beside that one, which is removed
 */
import { sql, type RawBuilder } from 'kysely'
import pg from 'pg'
import { buildApp } from '../app.js'
import { withDatabase } from '../commands/development-database.js'
import { migrateToLatest } from '../commands/migrate.js'
import { seedDatabase } from '../demo/index.js'
import { countsFromLedger, countsFromTasks, type Dimension } from '../modules/reports/ledger/counts.js'
import { createdFromLedger, createdFromTasks } from '../modules/reports/ledger/created.js'
import { foldLedger } from '../modules/reports/index.js'
import { changeTasks } from '../modules/tasks/change.js'
import type { Actor } from '../plugins/auth/index.js'
import { parseConfig, readEnvironment } from '../plugins/config.js'
import type { Db } from '../plugins/database/index.js'

const appOn = (url: string, clients = 5) => buildApp(parseConfig({ NODE_ENV: 'test', LOG_LEVEL: 'error', DATABASE_URL: url, DB_STATEMENT_TIMEOUT_MS: '60000', DB_POOL_MAX: String(clients) }))
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

async function timed (work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

async function reports (url: string): Promise<void> {
  const app = await appOn(url)
  await app.ready()
  try {
    const [tasks, ledger, totals, created] = await Promise.all((['tasks', 'stat_ledger', 'stat_totals', 'stat_created'] as const).map((table) => app.db.selectFrom(table).select((eb) => eb.fn.countAll().as('n')).executeTakeFirstOrThrow()))
    console.log(`${tasks?.n} tasks; rows of the ledger ${ledger?.n}, of totals ${totals?.n}, of quarters ${created?.n}\n`)
    const user = await app.db.selectFrom('users').select(['id', 'email', 'name', 'timezone']).orderBy('id').limit(1).executeTakeFirstOrThrow()
    const project = await app.db.selectFrom('tasks').select('project_id').groupBy('project_id').orderBy((eb) => eb.fn.countAll(), 'desc').limit(1).executeTakeFirstOrThrow()
    const all: Actor = { ...user, seesOpenProjects: true, permissions: ['projects:read_all'] }
    const window = (days: number) => ({ from: sql`date_trunc('day', now()) - ${days}::int * interval '1 day'`, until: sql`date_trunc('day', now()) + interval '1 day'` })
    const pairs: [string, RawBuilder<unknown>, RawBuilder<unknown>][] = []
    const cases: [string, Actor, { project?: string[], department?: string[] }][] = [['all', all, {}], ['some projects', { ...all, permissions: [] }, {}], ['one project', all, { project: [project.project_id] }], ['a department', all, { department: ['Service'] }]]
    for (const [who, actor, filter] of cases) {
      for (const dimension of ['status', 'priority', 'holder'] as Dimension[]) pairs.push([`${dimension}, ${who}`, countsFromLedger(actor, dimension, filter), countsFromTasks(actor, dimension, filter)])
      for (const days of [7, 84]) pairs.push([`created in ${days} days, ${who}`, sql`select sum(count) from (${createdFromLedger(actor, filter, window(days))}) c`, sql`select sum(count) from (${createdFromTasks(actor, filter, window(days))}) c`])
    }
    console.log('median of 21, ms                        ledger     index')
    for (const [name, ledger, index] of pairs) {
      const times: [number[], number[]] = [[], []]
      for (let round = 0; round < 21; round++) {
        times[0].push(await timed(() => ledger.execute(app.db)))
        times[1].push(await timed(() => index.execute(app.db)))
      }
      console.log(`${name.padEnd(36)} ${median(times[0]).toFixed(2).padStart(9)} ${median(times[1]).toFixed(2).padStart(9)}`)
    }
  } finally {
    await app.close()
  }
}

/** Each client changes one of its tasks after another for so long. @returns changes per second */
async function rate (clients: number, milliseconds: number, change: (client: number, n: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  let changes = 0
  await Promise.all(Array.from({ length: clients }, async (_, client) => {
    for (let n = 0; performance.now() - start < milliseconds; n++, changes++) await change(client, n)
  }))
  return changes / (performance.now() - start) * 1000
}

async function writesOn (url: string): Promise<void> {
  const clients = [8, 32]
  const app = await appOn(url, Math.max(...clients) + 2)
  await app.ready()
  try {
    const user = await app.db.selectFrom('users').select(['id', 'email', 'name', 'timezone']).limit(1).executeTakeFirstOrThrow()
    const view = { actor: { ...user, seesOpenProjects: true, permissions: ['projects:read_all'] }, now: new Date() }
    const tasks = await app.db.selectFrom('tasks').select('id').where('deleted_at', 'is', null).where('status', '=', 'in_progress').orderBy('id').execute()
    const idOf = (client: number, n: number) => tasks[(n * Math.max(...clients) + client) % tasks.length]?.id as string
    const status = () => Math.random() < 0.5 ? 'todo' : 'in_progress'
    const kinds: Record<string, (client: number, n: number) => Promise<unknown>> = {
      'the whole statement of a PATCH': (client, n) => changeTasks(app.db as Db, { changes: [{ id: idOf(client, n), set: { status: status() } as never }], view, origin: { actorId: user.id, requestId: 'bench' } }),
      'a bare update': (client, n) => sql`update tasks set status = ${status()}, version = version + 1 where id = ${idOf(client, n)}`.execute(app.db)
    }
    console.log(`status changes per second on ${tasks.length} tasks, median of 5 turns of 3 s          with     without triggers`)
    for (const [name, change] of Object.entries(kinds)) {
      for (const count of clients) {
        const rates: [number[], number[]] = [[], []]
        for (let turn = 0; turn < 10; turn++) {
          await sql`alter table tasks ${sql.raw(turn % 2 === 0 ? 'enable' : 'disable')} trigger tasks_update_counts`.execute(app.db)
          const folder = setInterval(() => { foldLedger(app.db).catch(console.error) }, 1000)
          rates[turn % 2 as 0 | 1].push(await rate(count, 3000, change))
          clearInterval(folder)
        }
        console.log(`${`${name}, ${count} clients`.padEnd(72)} ${median(rates[0]).toFixed(0).padStart(9)} ${median(rates[1]).toFixed(0).padStart(9)}`)
      }
    }
  } finally {
    await app.close()
  }
}

async function writes (url: string): Promise<void> {
  const scratch = new URL(url)
  const name = `eden_bench_${process.pid}`
  scratch.pathname = `/${name}`
  const admin = new pg.Client(url)
  await admin.connect()
  try {
    await admin.query(`create database ${name} template template0 encoding 'UTF8'`)
    await migrateToLatest(scratch.href)
    await seedDatabase(scratch.href, { tasks: 20_000 })
    await writesOn(scratch.href)
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`)
    await admin.end()
  }
}

await withDatabase(parseConfig(readEnvironment()), console.error, process.argv[2] === 'writes' ? writes : reports)
