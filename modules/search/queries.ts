import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { planEachTime } from '../shared/sql.js'
import { mayInProject, visibleProject } from '../shared/visibility.js'
import { HIT_BEGINS, HIT_ENDS, parseWish } from './rules.js'
import type { SearchHit } from './schemas.js'

/** Up to so many matches of a kind are all ranked. */
const RANKED = 2000
/** Of more, the first that the index gives and those among so many of the latest rows. */
const LATEST = 1000
/** Who sees projects of so few tasks altogether has all of their matches ranked, however common the word. */
const FEW_TASKS = 20_000
/** What was typed as a key comes before what merely has its words. */
const FIRST = 100
/** Divides the rank by 1 + log(length): a long text is not the better for having more words (PostgreSQL manual, 12.3.3). */
const NORMALIZATION = sql.lit(1)

const headline = `StartSel="${HIT_BEGINS}", StopSel="${HIT_ENDS}", MaxFragments=2, MinWords=5, MaxWords=20, FragmentDelimiter=" … "`

export interface Search { q: string, type?: string[], project?: string[], limit?: number }

/** What each kind needs. */
const needs: Record<string, string> = { project: 'projects:read', task: 'tasks:read', comment: 'comments:read' }

/**
 * The CTEs of the matches to rank, `<table>_found`: looks into the inverted index first, up to a limit. More than that are
 * not all read, which for a word on half of all tasks would be half of all tasks.
 * @param of the rows of the table under the alias `x` that are there; `walk` is an order that an index has
 * @param inProject the same rows, of the projects that are seen: an array, of which the planner expects few, or it would compile a
 * plan that is not run
 */
const found = (table: 'tasks' | 'comments', query: RawBuilder<unknown>, { of, walk, inProject }: { of: RawBuilder<unknown>, walk: RawBuilder<unknown>, inProject: RawBuilder<unknown> }) => {
  const [matched, all, name] = [sql.table(`${table}_matched`), sql.table(`${table}_found`), sql.table(table)]
  const many = sql`(select count(*) from ${matched}) > ${RANKED}`
  return sql`
    ${matched} as materialized (select x.id from ${name} x where ${of} and x.search @@ ${query} limit ${RANKED + 1}),
    ${all} as (
      select id from ${matched}
      union
      select id from (select x.id, x.search from ${name} x where ${many} and not (select few from size) and ${of} order by ${walk} limit ${LATEST}) latest where search @@ ${query}
      union
      select x.id from ${inProject} where ${many} and (select few from size) and ${of} and x.search @@ ${query}
    )`
}

/**
 * The best matches over the projects, tasks and comments that the person may see, in one statement. Only what is returned is
 * read for its snippet.
 */
export async function search (db: Db, { q, type = Object.keys(needs), project, limit = 20 }: Search, actor: Actor): Promise<Static<typeof SearchHit>[]> {
  const { words, beginning, key } = parseWish(q)
  const query = beginning === undefined
    ? sql`websearch_to_tsquery('english', ${words})`
    : sql`(websearch_to_tsquery('english', ${words}) && to_tsquery('english', ${`${beginning}:*`}))`
  const rank = (vector: RawBuilder<unknown>) => sql`ts_rank_cd(${vector}, ${query}, ${NORMALIZATION})`
  const code = q.trim()

  // 'offset 0' keeps it a look-up per match: for some thousands the planner would rather read the whole table.
  const row = (table: string, id: RawBuilder<unknown>) => sql`(select * from ${sql.table(table)} r where r.id = ${id} offset 0)`

  // One searches where one may read tasks; of that, what else a kind needs may be given by a role in the project.
  const seen = (kind: string, project: RawBuilder<unknown>) => {
    const need = needs[kind] as string
    const beyond = need === actor.byProjectRole || actor.permissions.includes(need) ? sql`` : sql`and exists (select from projects p where p.id = ${project} and ${mayInProject(actor, need)})`
    return sql`${project} in (select id from seen) ${beyond}`
  }
  const kinds: Record<string, RawBuilder<unknown>> = {
    project: sql`
      select 'project' as type, p.id, p.id as project_id, null::uuid as task_id, p.updated_at as at,
        case when p.code = ${code}::citext then ${FIRST} else ${rank(sql`p.search`)} end as rank
      from projects p where (p.search @@ ${query} or p.code = ${code}::citext) and ${seen('project', sql`p.id`)}`,
    task: sql`
      select 'task', t.id, t.project_id, t.id, t.updated_at, ${rank(sql`t.search`)}
      from tasks_found f cross join lateral ${row('tasks', sql`f.id`)} t where ${seen('task', sql`t.project_id`)}`,
    comment: sql`
      select 'comment', c.id, t.project_id, t.id, c.updated_at, ${rank(sql`c.search`)}
      from comments_found f cross join lateral ${row('comments', sql`f.id`)} c cross join lateral ${row('tasks', sql`c.task_id`)} t where t.deleted_at is null and ${seen('comment', sql`t.project_id`)}`
  }
  const wanted = Object.keys(kinds).filter((kind) => type.includes(kind))
  const branches = wanted.map((kind) => kinds[kind] as RawBuilder<unknown>)
  if (key !== undefined && wanted.includes('task')) {
    // A key that the task had before it was moved is one of a project that the person sees, too.
    const named = (from: RawBuilder<unknown>) => sql`
      select 'task', t.id, t.project_id, t.id, t.updated_at, ${FIRST} from ${from} where t.deleted_at is null and ${seen('task', sql`t.project_id`)}`
    const keyed = (alias: string) => sql`${sql.ref(`${alias}.project_id`)} = (select p.id from projects p where p.code = ${key.code}::citext and ${visibleProject(actor)}) and ${sql.ref(`${alias}.number`)} = ${key.number}`
    branches.push(named(sql`(select * from tasks n where ${keyed('n')}) t`), named(sql`task_former_keys f join tasks t on t.id = f.task_id and ${keyed('f')}`))
  }
  const there = sql`x.deleted_at is null`
  const { rows } = await sql<Static<typeof SearchHit>>`
    with seen as materialized (
      select p.id from projects p where ${visibleProject(actor)} ${project === undefined ? sql`` : sql`and p.id = any(${project}::uuid[])`}
    ), size as materialized (
      select coalesce(sum(c.last_task_number), 0) <= ${FEW_TASKS} as few from seen s join project_counters c on c.project_id = s.id
    ), ${found('tasks', query, {
      of: there,
      walk: sql`x.updated_at desc, x.id desc`,
      inProject: sql`(select * from tasks where project_id = any(array(select id from seen))) x`
    })}, ${found('comments', query, {
      of: there,
      walk: sql`x.id desc`, // ids are in the order of their times
      inProject: sql`(select c.* from comments c join tasks t on t.id = c.task_id where t.project_id = any(array(select id from seen))) x`
    })}, found (type, id, project_id, task_id, at, rank) as materialized (${sql.join(branches, sql` union all `)}),
    best as (
      select type, id, project_id, task_id, at, max(rank) as rank from found group by type, id, project_id, task_id, at
      order by max(rank) desc, at desc, id limit ${limit}
    )
    select b.type, b.id, b.project_id, b.task_id, b.at as updated_at,
      p.code || case when t.id is null then '' else '-' || t.number end as key, coalesce(t.title, p.name) as title,
      ts_headline('english', case b.type when 'comment' then c.body when 'task' then t.title || E'\n' || t.description else p.name || E'\n' || p.description end, ${query}, ${headline}) as snippet
    from best b join projects p on p.id = b.project_id left join tasks t on t.id = b.task_id left join comments c on c.id = b.id and b.type = 'comment'
    ${planEachTime} order by b.rank desc, b.at desc, b.id`.execute(db)
  return rows
}
