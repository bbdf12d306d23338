import { sql, type RawBuilder } from 'kysely'

/**
 * Waits for whoever changes parents in these projects: to be taken before the rows of tasks, in one order by all.
 * @param projects a query of project_id
 */
export const lockFamilies = (projects: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  select pg_advisory_xact_lock(hashtextextended('task parents of ' || project_id, 0)) from (select distinct project_id from (${projects}) asked order by project_id) p`
