import { buildApp } from '../app.js'
import type { Config } from '../plugins/config.js'

/**
 * `npm run job -- <name>`: does a scheduled job here and now, with a record of it; without a name it says which there are.
 * @throws RangeError for an unknown name; what the job throws
 */
export async function runJob (config: Config, [name]: string[]): Promise<void> {
  const app = await buildApp({ ...config, JOBS_ENABLED: false, LOG_LEVEL: 'warn' })
  try {
    await app.ready()
    if (name === undefined) {
      for (const job of app.jobs.list()) console.log(`${job.name.padEnd(26)} ${job.cron.padEnd(12)} ${job.description}`)
      return
    }
    const outcome = Object.entries(await app.jobs.runNow(name)).map(([what, count]) => `${what}: ${count}`)
    console.log(`${name} done${outcome.length > 0 ? `, ${outcome.join(', ')}` : ''}`)
  } finally {
    await app.close()
  }
}
