/**
 * What it gives to remember who may do what: requests per second with and without, in turns, so that whatever else the
 * machine does falls on both.
 *
 *   npm run bench:actors         on the database as it is; changes nothing
 */
import { sql } from 'kysely'
import { buildApp } from '../app.js'
import { withDatabase } from '../commands/development-database.js'
import { parseConfig, readEnvironment } from '../plugins/config.js'

const ROUNDS = 10
const ROUND_MS = 1000
const CLIENTS = 8

const appOn = (url: string, listen: boolean) => buildApp(parseConfig({ NODE_ENV: 'test', LOG_LEVEL: 'silent', DATABASE_URL: url, DB_LISTEN: String(listen), JOBS_ENABLED: 'false', PRESSURE_MAX_EVENT_LOOP_DELAY_MS: '0', JWT_SECRET: 'a secret of this bench only, 32 long' }))
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

async function main (url: string): Promise<void> {
  const [cached, asking] = await Promise.all([appOn(url, true), appOn(url, false)])
  await Promise.all([cached.ready(), asking.ready()])
  try {
    const { rows: [user] } = await sql<{ id: string }>`
      select u.id from users u join user_roles ur on ur.user_id = u.id join roles r on r.id = ur.role_id where r.slug = 'admin' and u.is_active limit 1`.execute(cached.db)
    const { rows: [task] } = await sql<{ id: string }>`select id from tasks where deleted_at is null limit 1`.execute(cached.db)
    const headers = { authorization: `Bearer ${cached.jwt.sign({ sub: user?.id ?? '' })}` }
    for (const path of ['/api/me/permissions', ...task === undefined ? [] : [`/api/tasks/${task.id}`]]) {
      const rates = new Map([[cached, [] as number[]], [asking, []]])
      for (let round = 0; round < ROUNDS * 2; round++) {
        const app = round % 2 === 0 ? cached : asking
        const start = performance.now()
        let done = 0
        await Promise.all(Array.from({ length: CLIENTS }, async () => {
          while (performance.now() - start < ROUND_MS) {
            const { statusCode } = await app.inject({ url: path, headers })
            if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`)
            done++
          }
        }))
        rates.get(app)?.push(done / (performance.now() - start) * 1000)
      }
      const [by, without] = [median(rates.get(cached) ?? []), median(rates.get(asking) ?? [])]
      console.log(`${path.replace(task?.id ?? '-', ':id').padEnd(22)} ${by.toFixed(0)} requests/s remembered, ${without.toFixed(0)} asked each time: ${(by / without).toFixed(2)} times`)
    }
  } finally {
    await Promise.all([cached.close(), asking.close()])
  }
}

await withDatabase(parseConfig(readEnvironment()), console.error, main)
