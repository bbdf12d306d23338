/**
 * The rules that seed data keeps, each as SQL that finds the rows that break it. They are those of the service: what
 * its own statements would have left behind. `$1` is the moment the data was made for.
 */
import { isSeedId } from '../../demo/index.js'

const idTime = (id: string) => `('x' || left(replace(${id}::text, '-', ''), 12))::bit(48)::bigint`
const ms = (time: string) => `(extract(epoch from ${time}) * 1000)::bigint`
const named = (table: string, at = 'created_at') => `select id from ${table} where not (${isSeedId('id')}) or ${idTime('id')} <> ${ms(at)}`

/** Changes of one entity type field by field, each beside the one before it; the last of a field has `last` = 1. */
const changed = (type: string) => `
  select entity_id, action, key, value -> 0 as old, value -> 1 as new,
    lag(value -> 1) over (partition by entity_id, key order by created_at, id) as before,
    row_number() over (partition by entity_id, key order by created_at desc, id desc) as last
  from activity_log, jsonb_each(changes) where entity_type = '${type}' and key <> 'member_role'`

/** The log, folded, is the row. */
const replays = (type: string, table: string, fields: string[]) => `
  with folded as (
    select entity_id, jsonb_strip_nulls(jsonb_object_agg(key, new)) as state from (${changed(type)}) c where last = 1 group by entity_id
  )
  select t.id, state from ${table} t full join folded f on f.entity_id = t.id
  where state is distinct from jsonb_strip_nulls(jsonb_build_object(${fields.map((field) => `'${field}', t.${field}`).join(', ')}))`

const bumps = "action not in ('ball_acknowledged', 'member_added')"
const versions = (type: string, table: string) => `
  with numbered as (
    select entity_id, version, ${bumps} as bumps, created_at,
      count(*) filter (where ${bumps}) over (partition by entity_id order by created_at, id) as expected
    from activity_log where entity_type = '${type}'
  ), last as (
    select entity_id, max(version) as version, max(created_at) filter (where bumps) as at, bool_and(version = expected) as counted, min(created_at) as first from numbered group by entity_id
  )
  select t.id, l.* from ${table} t full join last l on l.entity_id = t.id
  where (t.version, t.updated_at, t.created_at, true) is distinct from (l.version, l.at, l.first, l.counted)`

const taskFields = ['title', 'description', 'status', 'priority', 'department', 'tags', 'assignee_id', 'ball_in_court', 'ball_company_id', 'ball_contact_id', 'due_at', 'parent_id']

/** The fields that say where the ball is. */
const court = "array['ball_in_court', 'ball_company_id', 'ball_contact_id']"

export const rules: Record<string, string> = {
  'ids of users carry the mark and their time': named('users'),
  'ids of projects carry the mark and their time': named('projects'),
  'ids of tasks carry the mark and their time': named('tasks'),
  'ids of companies and contacts carry the mark and their time': `${named('companies')} union all ${named('contacts')}`,
  'ids of comments carry the mark and their time': named('comments'),
  'ids of files carry the mark and their time': named('attachments'),
  'ids of events carry the mark and their time': named('activity_log'),
  'ids of notifications carry the mark and their time': named('notifications'),

  'task numbers count from 1 in the order of creation': `
    select id from (select id, number, row_number() over (partition by project_id order by created_at, id) as expected from tasks) t where number <> expected`,
  'the counter of a project is at its last task number': `
    select p.id from projects p left join project_counters c on c.project_id = p.id
    left join (select project_id, count(*) as tasks from tasks group by project_id) t on t.project_id = p.id
    where c.last_task_number is distinct from coalesce(t.tasks, 0)`,

  'the first hold begins when the task does, the next where one ended': `
    select task_id, no from (
      select h.*, t.created_at, lag(h.ended_at) over w as met, lag(h.no, 1, 0) over w as previous from ball_holds h join tasks t on t.id = h.task_id window w as (partition by h.task_id order by h.no)
    ) h where started_at <> coalesce(met, created_at) or no <> previous + 1`,
  'the one hold that is not over is the ball of the task': `
    select t.id from tasks t left join ball_holds h on h.task_id = t.id and h.ended_at is null
    where (t.ball_no, t.ball_since, t.ball_in_court, t.ball_company_id, t.ball_contact_id) is distinct from (h.no, h.started_at, h.user_id, h.company_id, h.contact_id)`,
  'a finished task ended its last hold, and is in nobody\'s court since': `
    select t.id from tasks t join ball_holds last on last.task_id = t.id and last.no = t.ball_no left join ball_holds h on h.task_id = t.id and h.no = t.ball_no - 1
    where not t.is_open and (coalesce(h.user_id, h.company_id) is null or (h.outcome, h.ended_at, last.started_at) is distinct from ('finished', t.closed_at, t.closed_at))`,
  'each hold after the first is a change of the log, by whom and with what was said': `
    select h.task_id, h.no from ball_holds h
    left join (
      select *, 1 + row_number() over (partition by task_id order by created_at, id) as no from activity_log where entity_type = 'task' and action <> 'created' and changes ?| ${court}
    ) e on e.task_id = h.task_id and e.no = h.no
    left join ball_holds p on p.task_id = h.task_id and p.no = h.no - 1
    where h.no > 1 and (
      (e.created_at, e.actor_id) is distinct from (h.started_at, h.passed_by)
      or e.changes - array(select jsonb_object_keys(e.changes) except select unnest(${court})) <> jsonb_changes(
        jsonb_build_object('ball_in_court', p.user_id, 'ball_company_id', p.company_id, 'ball_contact_id', p.contact_id),
        jsonb_build_object('ball_in_court', h.user_id, 'ball_company_id', h.company_id, 'ball_contact_id', h.contact_id))
      or p.outcome <> case when e.action = 'ball_passed' then 'passed' when e.changes #>> '{status,1}' in ('done', 'closed') then 'finished' else 'reopened' end
      or (e.action = 'ball_passed' and e.data is distinct from jsonb_strip_nulls(jsonb_build_object('note', h.note, 'expected_by', h.expected_by)))
      or (e.action <> 'ball_passed' and e.data <> '{}'))`,
  'a reopened task is with whom it was taken from': `
    select h.task_id, h.no from ball_holds h join ball_holds nobody on nobody.task_id = h.task_id and nobody.no = h.no - 1 join ball_holds before on before.task_id = h.task_id and before.no = h.no - 2
    where nobody.outcome = 'reopened' and (coalesce(nobody.user_id, nobody.company_id) is not null or (h.user_id, h.company_id, h.contact_id) is distinct from (before.user_id, before.company_id, before.contact_id))`,
  'members were added by who the log says, as what it says': `
    select m.user_id from project_members m full join (
      select *, (data ->> 'user_id')::uuid as user_id from activity_log where action = 'member_added'
    ) e on e.project_id = m.project_id and e.user_id = m.user_id
    where (m.role, m.added_by, m.created_at) is distinct from (e.changes #>> '{member_role,1}', e.actor_id, e.created_at)`,
  'no change of the ball is without a hold': `
    select t.id from tasks t left join (
      select task_id, count(*) as changes from activity_log where entity_type = 'task' and action <> 'created' and changes ?| ${court} group by task_id
    ) e on e.task_id = t.id where t.ball_no <> 1 + coalesce(e.changes, 0)`,
  'an acknowledgement is by the holder, and logged once': `
    select h.task_id from ball_holds h full join (select * from activity_log where action = 'ball_acknowledged') e on e.task_id = h.task_id and e.created_at = h.acknowledged_at and e.actor_id = h.user_id
    where (h.acknowledged_at is null) <> (e.id is null) or h.acknowledged_at > h.ended_at or e.changes <> '{}'`,

  'each old value of a task is the new value before it': `select * from (${changed('task')}) c where old is distinct from coalesce(before, 'null') or new = old`,
  'each old value of a project is the new value before it': `select * from (${changed('project')}) c where old is distinct from coalesce(before, 'null') or new = old`,
  'each old value of a comment is the new value before it': `select * from (${changed('comment')}) c where old is distinct from coalesce(before, 'null') or new = old`,
  'the log replays to the task': replays('task', 'tasks', taskFields),
  'the log replays to the project': replays('project', 'projects', ['code', 'name', 'description', 'status', 'visibility']),
  'the log replays to the comment': replays('comment', 'comments', ['body']),
  'versions of tasks count their changes': versions('task', 'tasks'),
  'versions of projects count their changes': versions('project', 'projects'),
  'versions of comments count their changes': versions('comment', 'comments'),
  'the action of a task event says the most that changed': `
    select id, action, changes from activity_log where entity_type = 'task' and (action <> case
      when action in ('created', 'deleted', 'restored', 'ball_acknowledged') then action
      when changes ? 'status' then 'status_changed' when changes ?| ${court} then 'ball_passed' when changes ? 'assignee_id' then 'assigned' else 'updated' end
      or (changes = '{}') <> (action in ('deleted', 'restored', 'ball_acknowledged')))`,
  'actions are those of their entity': `
    select id from activity_log where action <> all (case entity_type
      when 'project' then array['created', 'updated', 'deleted', 'restored', 'member_added']
      when 'task' then array['created', 'updated', 'status_changed', 'assigned', 'ball_passed', 'ball_acknowledged', 'deleted', 'restored']
      else array['created', 'updated', 'deleted', 'restored'] end)`,
  'an event knows its project, its task and its request': `
    select e.id from activity_log e left join tasks t on t.id = e.task_id left join comments c on c.id = e.entity_id
    where e.project_id is null or e.request_id is null or e.request_id not like 'seed-%' or case entity_type
      when 'project' then e.task_id is not null or e.entity_id <> e.project_id
      when 'task' then e.task_id is distinct from e.entity_id or t.project_id <> e.project_id
      when 'attachment' then not exists (select from attachments a join stored_files f on f.id = a.id and f.state = 'kept' where a.id = e.entity_id and a.task_id = e.task_id
        and e.data = jsonb_build_object('content_type', a.content_type, 'size_bytes', a.size_bytes, 'sha256', encode(a.sha256, 'hex')))
      else e.task_id is distinct from c.task_id or t.project_id <> e.project_id end`,
  'the last activity of a task is its last event, comments included': `
    select t.id from tasks t left join (select task_id, max(created_at) as at from activity_log group by task_id) e on e.task_id = t.id
    where t.last_activity_at is distinct from e.at`,
  'a task is closed since it was last finished': `
    select t.id from tasks t left join (
      select task_id, max(created_at) as at from activity_log where changes #>> '{status,1}' in ('done', 'closed') and action = 'status_changed' group by task_id
    ) e on e.task_id = t.id where not t.is_open and t.closed_at is distinct from e.at`,
  'deleted is what was deleted and not restored': `
    select t.id from tasks t left join (
      select distinct on (entity_id) entity_id, action, created_at, actor_id from activity_log where action in ('deleted', 'restored') order by entity_id, created_at desc
    ) e on e.entity_id = t.id
    where (t.deleted_at, t.deleted_by) is distinct from (case when e.action = 'deleted' then e.created_at end, case when e.action = 'deleted' then e.actor_id end)`,
  'nothing happens to a task that is deleted': `
    select e.id from activity_log e join tasks t on t.id = e.task_id where e.created_at > t.deleted_at`,
  'status moves as the flow allows': `
    select id from activity_log where entity_type = 'task' and action = 'status_changed' and (changes #>> '{status,0}') || ' ' || (changes #>> '{status,1}') not in (
      'open todo', 'open in_progress', 'open closed', 'todo open', 'todo in_progress', 'todo closed', 'in_progress todo', 'in_progress review', 'in_progress done',
      'in_progress closed', 'review in_progress', 'review done', 'review closed', 'done todo', 'done in_progress', 'closed open')`,
  'who acts is active, may write, and is on the project': `
    select e.id from activity_log e join users u on u.id = e.actor_id
    where not u.is_active or exists (select from user_roles ur join roles r on r.id = ur.role_id where ur.user_id = u.id and r.slug = 'viewer')
      or (e.entity_type <> 'project' and not exists (select from project_members m where m.project_id = e.project_id and m.user_id = e.actor_id and m.role <> 'viewer'))`,

  'positions count all events from 1 by time and id': `
    select e.id from (select id, created_at, row_number() over (order by created_at, id) as expected from activity_log) e full join event_positions p on p.event_id = e.id
    where (p.position, p.event_at) is distinct from (e.expected, e.created_at)`,
  'the sequencer and its reader are at the end, and nothing waits': `
    select from event_sequencer s where last_position <> (select coalesce(max(position), 0) from event_positions)
      or exists (select from event_outbox) or last_position is distinct from (select position from event_cursors where consumer = 'notifications')`,
  'every event has its month': 'select id from activity_log_default',

  'mentions are those of the log, and written in the comment': `
    select * from comment_mentions m full join (
      select entity_id, jsonb_array_elements_text(data -> 'mentions')::uuid as user_id from activity_log where entity_type = 'comment' and action = 'created'
    ) e on e.entity_id = m.comment_id and e.user_id = m.user_id
    left join comments c on c.id = m.comment_id left join users u on u.id = m.user_id
    where m.comment_id is null or e.entity_id is null or strpos(c.body, '@' || split_part(u.email::text, '@', 1)) = 0 or m.user_id = c.author_id`,
  'a notification tells someone else what an event did': `
    select n.id from notifications n left join activity_log e on e.id = n.event_id
    where (n.created_at, n.actor_id, n.project_id, n.task_id) is distinct from (e.created_at, e.actor_id, e.project_id, e.task_id)
      or (n.type = 'task_assigned' and e.changes #>> '{ball_in_court,1}' = n.user_id::text)
      or n.user_id = n.actor_id or n.read_at < n.created_at or (n.comment_id is not null) <> (n.type = 'mentioned')
      or case n.type when 'task_assigned' then e.changes #>> '{assignee_id,1}' = n.user_id::text when 'ball_received' then e.changes #>> '{ball_in_court,1}' = n.user_id::text
        else e.entity_id = n.comment_id and e.data -> 'mentions' ? n.user_id::text end is not true`,
  'everyone concerned was told, for half a year': `
    select e.id from activity_log e, lateral (
      select e.changes #>> '{assignee_id,1}' union select e.changes #>> '{ball_in_court,1}' union select jsonb_array_elements_text(coalesce(e.data -> 'mentions', '[]'))
    ) who (id)
    where e.created_at > $1::timestamptz - interval '180 days' and e.entity_type <> 'project' and who.id is not null and who.id <> e.actor_id::text
      and not exists (select from notifications n where n.event_id = e.id and n.user_id = who.id::uuid)`,

  'nothing is later than now': `
    select from users where greatest(created_at, updated_at) > $1::timestamptz
    union all select from projects where greatest(created_at, updated_at) > $1::timestamptz
    union all select from project_members where greatest(created_at, updated_at) > $1::timestamptz
    union all select from tasks where greatest(created_at, updated_at, last_activity_at, ball_since, closed_at, deleted_at) > $1::timestamptz
    union all select from ball_holds where greatest(started_at, ended_at, acknowledged_at) > $1::timestamptz
    union all select from comments where greatest(created_at, updated_at, edited_at, deleted_at) > $1::timestamptz
    union all select from activity_log where created_at > $1::timestamptz
    union all select from notifications where greatest(created_at, read_at) > $1::timestamptz`,
  'work is done in working hours': `
    select id from activity_log where extract(isodow from created_at at time zone 'America/Toronto') > 5 or extract(hour from created_at at time zone 'America/Toronto') not between 7 and 16`,
  'due dates are ends of working days': `
    select id from tasks where extract(isodow from due_at at time zone 'America/Toronto') > 5 or (due_at at time zone 'America/Toronto')::time <> '17:00'`,
  'a parent is older, in the same project, and no subtask': `
    select t.id from tasks t join tasks p on p.id = t.parent_id where p.project_id <> t.project_id or p.created_at >= t.created_at or p.parent_id is not null`,
  'no ids are used twice': `
    select id from (select id from activity_log union all select id from tasks union all select id from comments union all select id from notifications union all select id from users union all select id from projects) ids
    group by id having count(*) > 1`
}
