import { sql } from 'kysely'
import type { Db } from '../../plugins/database/index.js'
import { runColumns, type LastRun } from '../../plugins/jobs/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { isAny } from '../shared/sql.js'

const orders: Record<string, Order> = { created_at: { by: sql`r.created_at`, type: 'timestamptz' } }

export interface RunFilter { job?: string[], state?: string[] }

const filtered = (db: Db, { job, state }: RunFilter) => db.selectFrom('job_runs as r')
  .$if(job !== undefined, (qb) => qb.where(isAny('r.job', 'text', job ?? [])))
  .$if(state !== undefined, (qb) => qb.where(isAny('r.state', 'text', state ?? [])))

/** One page of what jobs did, and one row more when there is a next page. One statement. */
export function listRuns (db: Db, filter: RunFilter, page: PageRequest): Promise<(LastRun & Keyed)[]> {
  return keyset(filtered(db, filter).select(runColumns), orders, sql`r.id`, page).$castTo<LastRun & Keyed>().execute()
}

export async function countRuns (db: Db, filter: RunFilter): Promise<number> {
  const { total } = await filtered(db, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

export async function findRun (db: Db, id: string): Promise<LastRun | undefined> {
  return db.selectFrom('job_runs as r').select(runColumns).where('r.id', '=', id).$castTo<LastRun>().executeTakeFirst()
}
