import { sql, type RawBuilder } from 'kysely'
import type { Static } from 'typebox'
import type { Actor } from '../../plugins/auth.js'
import type { Db } from '../../plugins/database/index.js'
import { planEachTime } from '../shared/sql.js'
import { visibleProject } from '../shared/visibility.js'
import { parseWish } from './rules.js'
import type { SearchHit } from './schemas.js'

/** Of each kind so many matches are ranked, the ones that the index gives first: for a word on half of all tasks no order by rank means much. */
const RANKED = 1000
/** What was typed as a key comes before what merely has its words. */
const FIRST = 100

export interface Search { q: string, type?: string[], project?: string[], limit?: number }

/** Which kinds the person may read. */
const needs: Record<string, string> = { project: 'projects:read', task: 'tasks:read', comment: 'comments:read' }

/**
 * The best matches over the projects, tasks and comments that the person may see, in one statement. Only what is returned is
 * read for its snippet.
 */
export async function search (db: Db, { q, type = Object.keys(needs), project, limit = 20 }: Search, actor: Actor): Promise<Static<typeof SearchHit>[]> {
  const { words, beginning, key } = parseWish(q)
  const query = beginning === undefined
    ? sql`websearch_to_tsquery('english', ${words})`
    : sql`(websearch_to_tsquery('english', ${words}) && to_tsquery('english', ${`${beginning}:*`}))`
  const seen = sql`${visibleProject(actor)} ${project === undefined ? sql`` : sql`and p.id = any(${project}::uuid[])`}`
  const rank = (vector: RawBuilder<unknown>) => sql`ts_rank_cd(${vector}, ${query})`

  const kinds: Record<string, RawBuilder<unknown>> = {
    project: sql`
      select 'project' as type, p.id, p.id as project_id, null::uuid as task_id, p.updated_at as at,
        case when p.code = ${q.trim()}::citext then ${FIRST} else ${rank(sql`p.search`)} end as rank
      from projects p where (p.search @@ ${query} or p.code = ${q.trim()}::citext) and ${seen} limit ${RANKED}`,
    task: sql`
      select 'task', t.id, t.project_id, t.id, t.updated_at, ${rank(sql`t.search`)}
      from tasks t join projects p on p.id = t.project_id where t.search @@ ${query} and t.deleted_at is null and ${seen} limit ${RANKED}`,
    comment: sql`
      select 'comment', c.id, t.project_id, t.id, c.updated_at, ${rank(sql`c.search`)}
      from comments c join tasks t on t.id = c.task_id join projects p on p.id = t.project_id
      where c.search @@ ${query} and c.deleted_at is null and t.deleted_at is null and ${seen} limit ${RANKED}`
  }
  const wanted = Object.keys(kinds).filter((kind) => type.includes(kind) && actor.permissions.includes(needs[kind] as string))
  if (wanted.length === 0) return []
  const branches = wanted.map((kind) => sql`(${kinds[kind]})`)
  if (key !== undefined && wanted.includes('task')) {
    branches.push(sql`(
      select 'task', t.id, t.project_id, t.id, t.updated_at, ${FIRST}
      from projects p join tasks t on t.project_id = p.id where p.code = ${key.code}::citext and t.number = ${key.number} and t.deleted_at is null and ${seen})`)
    // A key that the task had before it was moved is one of a project that the person sees, too.
    branches.push(sql`(
      select 'task', t.id, t.project_id, t.id, t.updated_at, ${FIRST}
      from task_former_keys f join tasks t on t.id = f.task_id join projects p on p.id = t.project_id
      where f.project_id = (select p.id from projects p where p.code = ${key.code}::citext and ${visibleProject(actor)})
        and f.number = ${key.number} and t.deleted_at is null and ${seen})`)
  }
  const { rows } = await sql<Static<typeof SearchHit>>`
    with found (type, id, project_id, task_id, at, rank) as materialized (${sql.join(branches, sql` union all `)}),
    best as (
      select type, id, project_id, task_id, at, max(rank) as rank from found group by type, id, project_id, task_id, at
      order by max(rank) desc, at desc, id limit ${limit}
    )
    select b.type, b.id, b.project_id, b.task_id, b.at as updated_at,
      p.code || case when t.id is null then '' else '-' || t.number end as key, coalesce(t.title, p.name) as title,
      ts_headline('english', case b.type when 'comment' then c.body when 'task' then t.title || E'\n' || t.description else p.name || E'\n' || p.description end, ${query},
        'StartSel=«, StopSel=», MaxFragments=2, MinWords=5, MaxWords=20, FragmentDelimiter= … ') as snippet
    from best b join projects p on p.id = b.project_id left join tasks t on t.id = b.task_id left join comments c on c.id = b.id and b.type = 'comment'
    ${planEachTime} order by b.rank desc, b.at desc, b.id`.execute(db)
  return rows
}
