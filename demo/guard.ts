import pg from 'pg'
import { isSeedId } from './ids.js'

/** The database holds rows that the demo generator did not make; nothing was changed. */
export class DatabaseHoldsRealData extends Error {
  readonly code = 'EDEN_DATABASE_HOLDS_REAL_DATA'
  /** The table in which such a row was found first. */
  readonly table: string

  constructor (table: string) {
    super(`the table ${table} holds rows that are not demo data; seeding replaces everything, so it is refused. Use an empty database`)
    this.name = 'DatabaseHoldsRealData'
    this.table = table
  }
}

/** Filled by the migrations or by the machinery, and left alone: rows here say nothing about whose database it is, nor does who came to its door. */
const ours = ['kysely_migration', 'kysely_migration_lock', 'roles', 'permissions', 'role_permissions', 'event_sequencer', 'work_calendars', 'work_holidays', 'calendar_days', 'ball_policies', 'ball_policy_rules', 'audit_events', 'audit_seals']

/** For each table that the generator fills: what makes a row one of its own. */
const seedRow: Record<string, string> = {
  users: isSeedId('id'),
  user_roles: isSeedId('user_id'),
  user_preferences: isSeedId('user_id'),
  user_credentials: isSeedId('user_id'),
  sessions: isSeedId('user_id'),
  refresh_tokens: 'true', // of such sessions
  account_links: isSeedId('user_id'),
  account_mails: 'true',
  sign_in_throttles: 'true',
  projects: isSeedId('id'),
  project_members: `${isSeedId('project_id')} and ${isSeedId('user_id')}`,
  project_counters: isSeedId('project_id'),
  companies: isSeedId('id'),
  contacts: isSeedId('id'),
  tasks: isSeedId('id'),
  task_former_keys: isSeedId('task_id'),
  ball_holds: isSeedId('task_id'),
  ball_pauses: isSeedId('task_id'),
  ball_reminders: isSeedId('task_id'),
  task_notices: isSeedId('task_id'),
  ball_nudges: isSeedId('task_id'),
  comments: isSeedId('id'),
  comment_mentions: isSeedId('comment_id'),
  stored_files: isSeedId('id'),
  attachments: isSeedId('id'),
  activity_log: isSeedId('id'),
  notifications: isSeedId('id'),
  event_positions: isSeedId('event_id'),
  event_cursors: 'true',
  job_runs: 'true',
  job_workers: 'true',
  // Made from the tasks, by the database.
  stat_ledger: 'true',
  stat_totals: 'true',
  stat_created: 'true'
}

/**
 * Refuses a database with anything but demo data. Also looks into tables that this code does not know, so that a
 * table added later is safe until it is named here: there any row counts as real.
 * @returns the tables that a new load replaces
 * @throws DatabaseHoldsRealData
 */
export async function refuseRealData (client: pg.ClientBase): Promise<string[]> {
  const tables = await replaceableTables(client)
  for (const table of tables) {
    const { rows } = await client.query<{ found: boolean }>(`select exists (select from ${pg.escapeIdentifier(table)} where not (${seedRow[table] ?? 'false'})) as found`)
    if (rows[0]!.found) throw new DatabaseHoldsRealData(table)
  }
  return tables
}

/** Every table of the service's schema that is not only machinery; a partition counts as its parent. */
async function replaceableTables (client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_class
     where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition and relname <> all ($1)
     order by relname`, [ours])
  return rows.map((row) => row.name)
}

/**
 * True when a migrated database has nobody in it yet: no users, projects or tasks. A first start loads the demo then.
 * @throws when the tables are not there
 */
export async function isEmptyDatabase (connectionString: string): Promise<boolean> {
  const client = new pg.Client({ connectionString })
  await client.connect()
  try {
    const { rows } = await client.query<{ empty: boolean }>(
      'select not exists (select from users) and not exists (select from projects) and not exists (select from tasks) as empty')
    return rows[0]!.empty
  } finally {
    await client.end()
  }
}
