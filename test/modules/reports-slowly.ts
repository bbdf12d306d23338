/** Every number of the reports again, plainly and slowly, from the rows of one snapshot. */
import type { Actor } from '../../plugins/auth/index.js'

export interface Rows { users: any[], companies: any[], projects: any[], members: any[], tasks: any[], holds: any[], pauses?: any[], days?: Workday[], rules?: any[] }
/** When the company works, in microseconds. */
export interface Workday { opens: number, closes: number }
export interface Filter { project?: string[], department?: string[], person?: string[], from?: string, to?: string }

/** Microseconds since 1970: what PostgreSQL counts in. */
export const micros = (text: string): number => {
  const [, whole = '', fraction = ''] = /^(.{19})(?:\.(\d+))?Z$/.exec(text) ?? []
  return Date.parse(`${whole}Z`) * 1000 + Number(fraction.padEnd(6, '0'))
}
const at = (text: string | undefined, otherwise: number) => text === undefined ? otherwise : micros(new Date(text).toISOString())
const dates = new Map<string, Intl.DateTimeFormat>()
/** The date of an instant where somebody is, in days since 1970. */
export function dayOf (us: number, zone: string): number {
  const format = dates.get(zone) ?? new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  dates.set(zone, format)
  return Date.parse(`${format.format(new Date(Math.floor(us / 1000)))}T00:00Z`) / 86_400_000
}
const dateText = (day: number) => new Date(day * 86_400_000).toISOString().slice(0, 10)
const mondayOf = (day: number) => day - (day + 3) % 7
/** The value at a share of a list, by nearest rank. */
function atRank (values: number[], share: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(Math.ceil(share * sorted.length), 1) - 1] ?? null
}
const seconds = (us: number | null) => us === null ? null : us / 1e6
const count = <T>(list: T[], which: (one: T) => unknown) => list.filter(which).length
const isHeld = (task: any) => task.ball_in_court !== null || task.ball_company_id !== null
const isOpen = (task: any) => task.status !== 'done' && task.status !== 'closed'

/** The projects that somebody sees, and of those the tasks that a filter leaves. */
function seen (rows: Rows, actor: Actor, { project, department, from, to }: Filter) {
  const projects = rows.projects.filter((p) => p.deleted_at === null && (actor.permissions.includes('projects:read_all') || p.visibility === 'company' ||
    rows.members.some((m) => m.project_id === p.id && m.user_id === actor.id)) && (project === undefined || project.includes(p.id)))
  const ids = new Set(projects.map(({ id }) => id))
  const tasks = rows.tasks.filter((t) => ids.has(t.project_id) && t.deleted_at === null && (department === undefined || department.includes(t.department)) &&
    micros(t.created_at) >= at(from, -Infinity) && micros(t.created_at) < at(to, Infinity))
  return { projects, tasks }
}
const dueSoon = (task: any, actor: Actor, now: number) => task.due_at !== null && micros(task.due_at) >= now && dayOf(micros(task.due_at), actor.timezone) <= dayOf(now, actor.timezone) + 7

/** Each status, each priority, whose court the balls of open tasks are in, and what was created on each of the last days. */
export function slowCounts (rows: Rows, actor: Actor, now: number, days: number, filter: Filter) {
  const { tasks } = seen(rows, actor, filter)
  const open = tasks.filter(isOpen)
  const today = dayOf(now, actor.timezone)
  const names = new Map([...rows.users.map(({ id, email }) => [id, email] as const), ...rows.companies.map(({ id, name }) => [id, name] as const)])
  const holder = (task: any) => task.ball_in_court ?? task.ball_company_id
  const owners = [...new Set(open.map(holder))].map((id) => ({ owner: names.get(id) ?? 'unassigned', count: count(open, (task) => holder(task) === id) }))
  return {
    status: ['open', 'todo', 'in_progress', 'review', 'done', 'closed'].map((status) => ({ status, count: count(tasks, (task) => task.status === status) })),
    priority: ['low', 'normal', 'high', 'urgent'].map((priority) => ({ priority, count: count(tasks, (task) => task.priority === priority) })),
    ball: owners.sort((a, b) => b.count - a.count || (a.owner < b.owner ? -1 : 1)),
    recent: Array.from({ length: days }, (_, n) => today - days + 1 + n).map((day) => ({ day: dateText(day), tasks_created: count(tasks, (task) => dayOf(micros(task.created_at), actor.timezone) === day) }))
  }
}

/** The working time between two instants, day by day, in microseconds. */
const worked = (days: Workday[], from: number, to: number): number => days.reduce((sum, { opens, closes }) => sum + Math.max(Math.min(to, closes) - Math.max(from, opens), 0), 0)
const known = new WeakMap<object, Map<number, boolean>>()

/** Beyond what was agreed, or without that as long as the policy allows. */
function isOverSla (rows: Rows, hold: any, end: number): boolean {
  const answers = known.get(hold) ?? new Map<number, boolean>()
  known.set(hold, answers)
  const answer = answers.get(end) ?? judge(rows, hold, end)
  answers.set(end, answer)
  return answer
}

function judge ({ tasks, pauses = [], days = [], rules = [] }: Rows, hold: any, end: number): boolean {
  if (hold.expected_by !== null) return micros(hold.expected_by) < end
  const { act_within_s: most } = rules.find(({ priority }) => priority === tasks.find(({ id }) => id === hold.task_id).priority)
  const paused = pauses.filter((pause) => pause.task_id === hold.task_id && pause.hold_no === hold.no)
  return most !== null && worked(days, micros(hold.started_at), end) - paused.reduce((sum, p) => sum + worked(days, micros(p.started_at), p.ended_at === null ? end : micros(p.ended_at)), 0) >= most * 1e6
}

export function slowFlow (rows: Rows, actor: Actor, now: number, { person, from, to, ...filter }: Filter) {
  const tasks = new Set(seen(rows, actor, filter).tasks.map(({ id }) => id))
  const end = (hold: any) => hold.ended_at === null ? now : micros(hold.ended_at)
  const first = dayOf(now, actor.timezone) - 30
  const counted = rows.holds.filter((h) => (h.user_id !== null || h.company_id !== null) && tasks.has(h.task_id) && (person === undefined || person.includes(h.user_id)) &&
    (from === undefined ? dayOf(end(h), actor.timezone) >= first : end(h) >= at(from, 0)) && end(h) < at(to, Infinity))
  const [holds, outside] = [counted.filter((h) => h.user_id !== null), counted.filter((h) => h.company_id !== null)]
  const users = new Map(rows.users.map((user) => [user.id, user]))
  const line = (scope: string, of: any[], user: any, department: string | null, company?: any) => {
    const lengths = of.map((h) => Math.max(end(h) - micros(h.started_at), 0))
    return {
      scope,
      person_id: user?.id ?? null,
      company_id: company?.id ?? null,
      owner: user?.email ?? company?.name ?? null,
      department,
      holds: of.length,
      current: count(of, (h) => h.ended_at === null),
      handoffs: count(of, (h) => h.outcome === 'passed'),
      held_seconds_p50: seconds(atRank(lengths, 0.5)),
      held_seconds_p95: seconds(atRank(lengths, 0.95)),
      held_seconds_max: seconds(atRank(lengths, 1)),
      unacknowledged: count(of, (h) => h.acknowledged_at === null),
      over_expected: count(of, (h) => h.expected_by !== null && micros(h.expected_by) < end(h)),
      over_sla: count(of, (h) => isOverSla(rows, h, end(h)))
    }
  }
  const grouped = (key: (hold: any) => any, some = holds): [any, any[]][] => [...new Set(some.map(key))].map((value) => [value, some.filter((hold) => key(hold) === value)])
  return [
    ...grouped((h) => h.user_id).map(([id, of]) => line('person', of, users.get(id), users.get(id).department)),
    ...grouped((h) => users.get(h.user_id).department).map(([department, of]) => line('department', of, undefined, department)),
    ...grouped((h) => h.company_id, outside).map(([id, of]) => line('company', of, undefined, null, rows.companies.find((company) => company.id === id)))
  ]
}

export function slowWorkload (rows: Rows, actor: Actor, now: number, { person, ...filter }: Filter) {
  const open = seen(rows, actor, filter).tasks.filter(isOpen)
  return rows.users.filter((u) => person === undefined || person.includes(u.id)).flatMap((u) => {
    const own = open.filter((task) => task.assignee_id === u.id || task.ball_in_court === u.id)
    return !u.is_active && own.length === 0
      ? []
      : [{
          person_id: u.id,
          owner: u.email,
          name: u.name,
          department: u.department,
          assigned: count(own, (task) => task.assignee_id === u.id),
          ball: count(own, (task) => task.ball_in_court === u.id),
          overdue: count(own, (task) => task.due_at !== null && micros(task.due_at) < now),
          due_soon: count(own, (task) => dueSoon(task, actor, now))
        }]
  })
}

export function slowThroughput (rows: Rows, actor: Actor, now: number, { person, from, to, per, ...filter }: Filter & { per: 'day' | 'week' }) {
  const tasks = seen(rows, actor, filter).tasks.filter((task) => person === undefined || person.includes(task.assignee_id))
  const last = Math.min(at(to, Infinity) - 1, now)
  const spanOf = (us: number) => per === 'day' ? dayOf(us, actor.timezone) : mondayOf(dayOf(us, actor.timezone))
  const step = per === 'day' ? 1 : 7
  const begin = from === undefined ? spanOf(last) - (per === 'day' ? 29 : 11) * step : spanOf(at(from, 0))
  const isIn = (text: string | null, span: number) => text !== null && micros(text) >= at(from, -Infinity) && micros(text) <= last && spanOf(micros(text)) === span
  const lines = []
  for (let span = begin; span <= dayOf(last, actor.timezone); span += step) {
    const finished = tasks.filter((task) => isIn(task.closed_at, span)).map((task) => micros(task.closed_at) - micros(task.created_at))
    lines.push({ begins: dateText(span), created: count(tasks, (task) => isIn(task.created_at, span)), finished: finished.length, cycle_seconds_p50: seconds(atRank(finished, 0.5)), cycle_seconds_p95: seconds(atRank(finished, 0.95)) })
  }
  return lines
}

export function slowHealth (rows: Rows, actor: Actor, now: number, { person, ...filter }: Filter) {
  const { projects, tasks: all } = seen(rows, actor, filter)
  const tasks = all.filter((task) => person === undefined || person.includes(task.assignee_id))
  return projects.map((p) => {
    const all = tasks.filter((task) => task.project_id === p.id)
    const open = all.filter(isOpen)
    const held = open.filter(isHeld).map((task) => Math.max(now - micros(task.ball_since), 0))
    const [done, worth] = [count(all, (task) => task.status === 'done'), count(all, (task) => task.status !== 'closed')]
    return {
      project_id: p.id,
      code: p.code,
      name: p.name,
      status: p.status,
      open: open.length,
      overdue: count(open, (task) => task.due_at !== null && micros(task.due_at) < now),
      stalled: count(open, (task) => micros(task.last_activity_at) <= now - 7 * 86_400e6),
      nobodys: count(open, (task) => !isHeld(task)),
      oldest_hold_seconds: seconds(atRank(held, 1)),
      done,
      share_done: worth === 0 ? null : done / worth
    }
  })
}

export function slowAgeing (rows: Rows, actor: Actor, now: number, { person, ...filter }: Filter) {
  const open = seen(rows, actor, filter).tasks.filter((task) => isOpen(task) && (person === undefined || person.includes(task.ball_in_court)))
  const begins = [0, 1, 3, 7, 14, 30, 90, 180]
  return begins.map((days, n) => {
    const isIn = (text: string) => {
      const age = Math.max(now - micros(text), 0) / 86_400e6
      return age >= days && age < (begins[n + 1] ?? Infinity)
    }
    return { from_days: days, to_days: begins[n + 1] ?? null, tasks: count(open, (task) => isIn(task.created_at)), in_court: count(open, (task) => isHeld(task) && isIn(task.ball_since)), in_nobodys_court: count(open, (task) => !isHeld(task) && isIn(task.ball_since)) }
  })
}
