/** What a sentence is made of: an event, and the names of the people in it by their ids. */
export interface Told {
  entity_type: string
  action: string
  actor: { name: string }
  changes: Record<string, unknown[]>
  data: Record<string, unknown>
  people: Record<string, string>
}

/** What a field of a change is called where its name alone would not read well. */
const fieldNames: Record<string, string> = { due_at: 'due date', assignee_id: 'assignee', ball_in_court: 'ball', parent_id: 'parent', is_active: 'access', job_title: 'job title', is_done: 'state', body: 'text' }
const words = (name: string): string => fieldNames[name] ?? name.replaceAll('_', ' ')

/** 'a', 'a and b', 'a, b and c'. */
function listed (parts: string[]): string {
  return parts.length < 2 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

const quoted = (value: unknown): string => `"${String(value)}"`

/** One changed field as a clause. Long texts are not repeated: the change has them. */
function clauseOf (field: string, [from, to]: unknown[], person: (id: unknown) => string): string {
  switch (field) {
    case 'status': return `moved it from ${words(String(from))} to ${words(String(to))}`
    case 'title': case 'name': return `renamed it from ${quoted(from)} to ${quoted(to)}`
    case 'assignee_id': return to === null ? `took it from ${person(from)}` : `assigned it to ${person(to)}`
    case 'due_at': return to === null ? 'removed its due date' : `set its due date to ${String(to).slice(0, 10)}`
    case 'priority': return `set its priority to ${words(String(to))}`
    case 'department': return to === null ? 'took it from its department' : `gave it to ${String(to)}`
    case 'parent_id': return to === null ? 'made it a task of its own' : 'put it under another task'
    case 'tags': return Array.isArray(to) && to.length > 0 ? `tagged it ${listed(to.map(quoted))}` : 'removed its tags'
    default: return `changed its ${words(field)}`
  }
}

/** The fields that say where the ball is, whoever says the most first; and that it is paused, which ends with a hold. */
const court = ['ball_contact_id', 'ball_company_id', 'ball_in_court', 'ball_paused_since']

/** Where the ball went as one clause, if it went anywhere. */
function ballClause (changes: Told['changes'], person: (id: unknown) => string): string[] {
  const side = (n: 0 | 1) => court.slice(0, 3).map((field) => changes[field]?.[n]).find((id) => id != null)
  if (!court.slice(0, 3).some((field) => field in changes)) return []
  const [from, to] = [side(0), side(1)]
  if (to !== undefined) return [`put the ball in ${person(to)}'s court`]
  return [changes.ball_company_id === undefined && changes.ball_in_court === undefined ? 'put the ball in the court of the company as a whole' : `took the ball out of ${person(from)}'s court`]
}

const things: Record<string, string> = { attachment: 'a file', ball_policy: 'what is expected of whoever has a ball', calendar: 'the calendar', checklist_item: 'a step', comment: 'a comment', dependency: 'a dependency', project: 'the project', task: 'the task', user: 'a profile' }

/** What happened, without who did it. */
function happened ({ entity_type: type, action, changes, data, people }: Told): string {
  const person = (id: unknown): string => people[String(id)] ?? 'someone'
  const thing = things[type] ?? `a ${words(type)}`
  const member = () => person(data.user_id)
  const told = () => person(Array.isArray(data.to) ? data.to[0] : undefined)
  const role = () => words(String(changes.member_role?.[1]))
  const label = changes.label?.[1] ?? changes.label?.[0]

  switch (`${type}.${action}`) {
    case 'task.ball_acknowledged': return 'has seen that the ball is in their court'
    case 'task.ball_nudged': return `reminded ${told()} of the ball in their court${typeof data.note === 'string' ? `: ${quoted(data.note)}` : ''}`
    case 'task.ball_paused': return `paused the ball${typeof data.reason === 'string' ? `: ${quoted(data.reason)}` : ''}`
    case 'task.ball_resumed': return 'let the ball go on'
    case 'task.ball_unacknowledged': return `passed the ball, and ${told()} has not acknowledged it in time`
    case 'task.ball_overdue': return `passed the ball, and ${told()} has not acted in time`
    case 'company.updated': case 'contact.updated': case 'calendar.updated': return listed(Object.entries(changes).map(([field, change]) => clauseOf(field, change, person))) || `changed ${thing}`
    case 'calendar.holiday_set': return `made ${String(data.date)} a day off: ${quoted(data.name)}`
    case 'calendar.holiday_removed': return `made ${String(data.date)} a day like others`
    case 'task.checklist_reordered': return 'put the steps into another order'
    case 'task.ball_passed': case 'task.assigned': case 'task.status_changed': case 'task.updated': case 'project.updated': case 'user.updated': {
      const clauses = listed([...Object.entries(changes).filter(([field]) => !court.includes(field)).map(([field, change]) => clauseOf(field, change, person)), ...ballClause(changes, person)])
      return `${clauses || `changed ${thing}`}${typeof data.note === 'string' ? `: ${quoted(data.note)}` : ''}`
    }
    case 'task.created': {
      const [assignee, holder] = [changes.assignee_id?.[1], changes.ball_in_court?.[1]]
      const also = [...(assignee == null ? [] : [`assigned it to ${person(assignee)}`]), ...(holder == null ? [] : [`put the ball in ${person(holder)}'s court`])]
      return listed([`created the task ${quoted(changes.title?.[1])}`, ...also])
    }
    case 'task.moved': return 'moved the task here from another project'
    case 'project.tasks_left': return `moved ${listed((data.tasks as { key: string }[]).map(({ key }) => key))} to another project`
    case 'project.created': return `created the project ${quoted(changes.name?.[1])}`
    case 'project.member_added': return `added ${member()} to the project as ${role()}`
    case 'project.member_changed': return `made ${member()} ${role()} of the project`
    case 'project.member_removed': return `removed ${member()} from the project`
    case 'user.created': return `added ${quoted(changes.name?.[1])}`
    case 'user.role_given': return `gave ${member()} the role ${quoted(data.role_name)}`
    case 'user.role_taken': return `took the role ${quoted(data.role_name)} from ${member()}`
    case 'role.created': return `added the role ${quoted(changes.name?.[1])}`
    case 'role.updated': return `${changes.permissions === undefined ? 'changed' : 'changed what is allowed by'} the role ${quoted(data.role_name)}`
    case 'role.deleted': return `deleted the role ${quoted(changes.name?.[0])}`
    case 'comment.created': {
      const mentions = Array.isArray(data.mentions) ? data.mentions.map(person) : []
      return mentions.length === 0 ? 'commented' : `commented and mentioned ${listed(mentions)}`
    }
    case 'comment.updated': return 'edited a comment'
    case 'checklist_item.created': return `added the step ${quoted(label)}`
    case 'checklist_item.deleted': return `removed the step ${quoted(label)}`
    case 'checklist_item.updated': return changes.is_done === undefined ? `renamed a step to ${quoted(label)}` : changes.is_done[1] === true ? 'ticked a step off' : 'opened a step again'
    case 'dependency.created': return 'let the task wait for another'
    case 'dependency.deleted': return 'let the task wait for another no more'
    default: return `${words(action)} ${thing}` // deleted, restored, and what comes later
  }
}

/** What nobody did: time passed. */
const byItself: Record<string, string> = { 'task.task_overdue': 'The task became overdue', 'task.task_idle': 'Nothing has happened for a week' }

/** An event in one English sentence, for a person to read. The one place that words them. */
export const sentenceOf = (told: Told): string => byItself[`${told.entity_type}.${told.action}`] ?? `${told.actor.name} ${happened(told)}`
