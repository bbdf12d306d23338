import { sql, type Kysely, type RawBuilder } from 'kysely'
import { verifyCounts } from '../../modules/reports/index.js'
import { schemaState } from '../../plugins/database/apply.js'
import { releaseMigrations } from '../../plugins/database/migrator.js'

/** What a check found wrong: how many, and some of them. */
export interface Finding { count: number, examples: string[] }

export interface Check {
  name: string
  /** What holds when nothing is found. */
  about: string
  run: (db: Kysely<any>) => Promise<Finding>
}

const EXAMPLES = 5

/** A statement whose rows are what is wrong, each with a text `id`; counted, and some of them kept, where they are found. */
const rowsOf = (wrong: RawBuilder<unknown>) => async (db: Kysely<any>): Promise<Finding> => {
  const { rows: [finding] } = await sql<Finding>`
    with wrong as materialized (${wrong})
    select (select count(*) from wrong)::float8 as count, array(select id::text from wrong order by 1 limit ${EXAMPLES}) as examples`.execute(db)
  return finding!
}

const found = (wrong: string[]): Finding => ({ count: wrong.length, examples: wrong.slice(0, EXAMPLES) })

/** How long an event may wait for its position; it takes a second where an instance runs. */
const OUTBOX_PATIENCE = sql`interval '10 minutes'`

/** Everything that must hold between rows and that no constraint says, or that a constraint says which may have been off. */
export const checks: readonly Check[] = [
  {
    name: 'migrations',
    about: 'each migration of this release is applied, and no other',
    run: async (db) => {
      const { applied, pending } = await schemaState(db, releaseMigrations)
      return found([...pending.map((name) => `pending: ${name}`), ...applied.filter(({ known }) => !known).map(({ name }) => `unknown: ${name}`)])
    }
  },
  { name: 'job_queue', about: 'the job queue has its tables', run: rowsOf(sql`select name as id from unnest(array['_private_jobs', '_private_tasks', 'migrations']) t (name) where to_regclass('graphile_worker.' || name) is null`) },
  { name: 'indexes', about: 'every index is valid', run: rowsOf(sql`select indexrelid::regclass as id from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace where not indisvalid and n.nspname in ('public', 'graphile_worker')`) },
  { name: 'constraints', about: 'every constraint is validated', run: rowsOf(sql`select conrelid::regclass || '.' || conname as id from pg_constraint where not convalidated and connamespace = 'public'::regnamespace`) },
  { name: 'triggers', about: 'every trigger is on', run: rowsOf(sql`select tgrelid::regclass || '.' || tgname as id from pg_trigger g join pg_class c on c.oid = g.tgrelid where tgenabled = 'D' and c.relnamespace = 'public'::regnamespace`) },
  { name: 'foreign_keys', about: 'what a row refers to is there', run: brokenReferences },
  { name: 'sequences', about: 'every sequence is ahead of its column', run: lateSequences },
  {
    name: 'partitions',
    about: 'the activity log has a partition for this month and the two after it (job make_activity_partitions)',
    run: rowsOf(sql`
      select to_char(m, '"activity_log_"YYYY_MM') as id
      from generate_series(date_trunc('month', now() at time zone 'UTC'), date_trunc('month', now() at time zone 'UTC') + interval '2 months', interval '1 month') m
      where not exists (select from pg_inherits where inhparent = 'activity_log'::regclass and inhrelid = to_regclass(to_char(m, '"activity_log_"YYYY_MM')))`)
  },
  {
    name: 'ledger',
    about: 'totals and ledger are what counting all tasks again gives (else: select rebuild_stats())',
    run: async (db) => found((await verifyCounts(db)).map((wrong) => `${wrong.project_id ?? 'all projects'} ${wrong.dim} ${wrong.department}/${wrong.key}: ${wrong.counted}, not ${wrong.actual}`))
  },
  {
    name: 'ball_holds',
    about: 'the holds of each task account for every second since it was created: no gap, no overlap, the last one goes on',
    run: rowsOf(sql`
      select t.id
      from tasks t left join (
        select task_id, count(*) as holds, min(no) as first, max(no) as last, count(*) filter (where ended_at is null) as current, min(started_at) as begins,
          sum(coalesce(ended_at, now()) - started_at) as held, max(no) filter (where ended_at is null) as current_no
        from ball_holds group by task_id
      ) h on h.task_id = t.id
      where h.task_id is null or h.first <> 1 or h.last <> h.holds or h.current <> 1 or h.current_no <> h.last
        or h.begins <> t.created_at or h.held <> now() - t.created_at`)
  },
  {
    name: 'ball_meets',
    about: 'each hold begins where the one before it ended, and each pause is inside its hold',
    run: rowsOf(sql`
      select task_id || ' hold ' || no as id from (select task_id, no, started_at, lag(ended_at) over (partition by task_id order by no) as before from ball_holds) h
      where no > 1 and started_at is distinct from before
      union all
      select p.task_id || ' pause of hold ' || p.hold_no from ball_pauses p left join ball_holds h on h.task_id = p.task_id and h.no = p.hold_no
      where h.task_id is null or p.started_at < h.started_at or coalesce(p.ended_at, 'infinity') > coalesce(h.ended_at, 'infinity')`)
  },
  {
    name: 'ball_in_court',
    about: 'each task says what its current hold says',
    run: rowsOf(sql`
      select t.id from tasks t join ball_holds h on h.task_id = t.id and h.ended_at is null
      where (t.ball_no, t.ball_since) is distinct from (h.no, h.started_at) or (t.ball_in_court, t.ball_company_id) is distinct from (h.user_id, h.company_id)`)
  },
  {
    name: 'positions',
    about: 'the positions of events are 1, 2, 3 ... up to the last one given, and no consumer is beyond it',
    run: rowsOf(sql`
      select 'after ' || position as id from (select position, lead(position) over (order by position) as next from event_positions) p where next <> position + 1
      union all
      select 'first is ' || min(position) from event_positions having min(position) <> 1
      union all
      select 'last is ' || coalesce(max(position), 0) || ', the sequencer says ' || (select last_position from event_sequencer) from event_positions
      having coalesce(max(position), 0) is distinct from (select last_position from event_sequencer)
      union all
      select 'consumer ' || consumer from event_cursors where position > (select last_position from event_sequencer)`)
  },
  {
    name: 'events',
    about: 'each event of the log is numbered once or waits in the outbox, and nothing else is',
    run: rowsOf(sql`
      select coalesce(a.id, p.event_id) || case when a.id is null then ' is not in the log' when p.event_id is null then ' has no position' else ' has two' end as id
      from activity_log a full join (
        select event_id, max(event_at) as event_at, count(*) as times from (select event_id, event_at from event_positions union all select event_id, event_at from event_outbox) x group by event_id
      ) p on p.event_id = a.id and p.event_at = a.created_at
      where a.id is null or p.event_id is null or p.times > 1`)
  },
  {
    name: 'event_projects',
    about: 'beside the position of each event is the project that it is in',
    run: rowsOf(sql`select e.event_id as id from event_positions e join activity_log a on a.created_at = e.event_at and a.id = e.event_id where e.project_id is distinct from a.project_id`)
  },
  { name: 'outbox', about: 'no event waits for its position for longer than ten minutes (an instance of the service numbers them)', run: rowsOf(sql`select event_id as id from event_outbox where event_at < now() - ${OUTBOX_PATIENCE}`) },
  {
    name: 'files',
    about: 'each attachment has an object that is kept, and each kept object an attachment',
    run: rowsOf(sql`
      select coalesce(a.id, f.id) as id from attachments a full join stored_files f on f.id = a.id
      where (a.id is null) is distinct from (f.state is distinct from 'kept')`)
  }
]

/** Any of our foreign keys whose rows point nowhere: what triggers that were off, or a restore in parts, may leave. One statement over all of them. */
async function brokenReferences (db: Kysely<any>): Promise<Finding> {
  const { rows: keys } = await sql<{ name: string, tab: string, other: string, columns: string[], others: string[] }>`
    select conname as name, r.relname as tab, o.relname as other,
      array(select attname::text from unnest(conkey) with ordinality u (num, ord) join pg_attribute on attrelid = conrelid and attnum = num order by ord) as columns,
      array(select attname::text from unnest(confkey) with ordinality u (num, ord) join pg_attribute on attrelid = confrelid and attnum = num order by ord) as others
    from pg_constraint k join pg_class r on r.oid = k.conrelid join pg_class o on o.oid = k.confrelid
    where contype = 'f' and connamespace = 'public'::regnamespace and conparentid = 0`.execute(db)
  const wrong = keys.map(({ name, tab, other, columns, others }) => sql`
    select ${`${name}: `}::text || concat_ws(', ', ${sql.join(columns.map((column) => sql.ref(`a.${column}`)))}) as id from ${sql.table(tab)} a
    where ${sql.join(columns.map((column) => sql`${sql.ref(`a.${column}`)} is not null`), sql` and `)}
      and not exists (select from ${sql.table(other)} b where ${sql.join(columns.map((column, i) => sql`${sql.ref(`b.${others[i]}`)} = ${sql.ref(`a.${column}`)}`), sql` and `)})`)
  return wrong.length === 0 ? { count: 0, examples: [] } : rowsOf(sql`${sql.join(wrong, sql` union all `)}`)(db)
}

/** A sequence that a restore or a row put in by hand has left behind gives numbers that are taken. */
async function lateSequences (db: Kysely<any>): Promise<Finding> {
  const { rows: owned } = await sql<{ schema: string, sequence: string, tab: string, col: string }>`
    select n.nspname as schema, s.relname as sequence, t.relname as tab, a.attname as col
    from pg_class s join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.deptype in ('a', 'i') and d.refobjsubid > 0
    join pg_class t on t.oid = d.refobjid join pg_namespace n on n.oid = s.relnamespace join pg_attribute a on a.attrelid = t.oid and a.attnum = d.refobjsubid
    where s.relkind = 'S' and n.nspname in ('public', 'graphile_worker')`.execute(db)
  const wrong = owned.map(({ schema, sequence, tab, col }) => sql`
    select ${`${schema}.${sequence}`}::text as id from ${sql.table(`${schema}.${sequence}`)} s
    where (select max(${sql.ref(col)}) from ${sql.table(`${schema}.${tab}`)}) > case when s.is_called then s.last_value else s.last_value - 1 end`)
  return wrong.length === 0 ? { count: 0, examples: [] } : rowsOf(sql`${sql.join(wrong, sql` union all `)}`)(db)
}
