import { sql, type RawBuilder } from 'kysely'

/** The id of the company's calendar: the migration that adds it made it. */
export const COMPANY_CALENDAR = '00000000-0000-7000-8000-0000000ca1e0'

const until = (instant: RawBuilder<unknown>) => sql`work_seconds_until(${sql.lit(COMPANY_CALENDAR)}::uuid, ${instant})`

/** The seconds of the company's hours between two instants, in SQL: two look-ups, whatever lies between. */
export const workingSeconds = (from: RawBuilder<unknown>, to: RawBuilder<unknown>): RawBuilder<number> => sql<number>`(${until(to)} - ${until(from)})`
