import { createCalendar, WORKDAY, type WorkCalendar } from './calendar.js'
import { createCompanies } from './companies.js'
import { makeFile, MOST_FILES, type DemoFile } from './files.js'
import { createIdMaker, type MakeId } from './ids.js'
import type { TaskLife } from './life.js'
import { createPeople, roleIds, type Person } from './people.js'
import { createProjectPicker, planProjects, type Project } from './projects.js'
import { createRandom, type Random } from './random.js'
import type { EventRow, NotificationRow, TableName, Tables } from './records.js'
import { tellStory } from './stories.js'
import { createWriter } from './wording.js'

const DAY = 86_400_000

/** Takes the rows as they are made. A row is finished when it is handed over. */
export type Emit = <T extends TableName>(table: T, row: Tables[T]) => void

/** The months, as the first day of each (YYYY-MM-DD, UTC), that the events of a company lie in. */
export interface Company {
  months: string[]
  /** Makes the next tasks, at most `count`, with all that happened to them. @returns how many; 0 when all are made */
  makeTasks: (count: number, emit: Emit) => number
  /** Makes the people, and the projects with their history. */
  makePeopleAndProjects: (emit: Emit) => void
  /** What the rows of `stored_files` stand for, by their ids; of the tasks made so far. */
  files: ReadonlyMap<string, DemoFile>
  /** Makes what is known only when all tasks are made. */
  makeCounters: (emit: Emit) => void
}

/**
 * The demo company: the same rows for the same number of tasks, seed and moment.
 *
 * Six hundred tasks cover 90 days; a million cover three years with 300 projects and 500 people.
 * @param now Unix ms; nothing happens after it
 * @param withFiles whether tasks have files: somebody has to put them where the service finds them
 */
export function createCompany ({ tasks, seed, now, withFiles }: { tasks: number, seed: number, now: number, withFiles: boolean }): Company {
  const random = createRandom(seed)
  const makeId = createIdMaker()
  const scale = Math.max(1, tasks / 600)
  const days = Math.min(1095, 90 * scale ** 0.337)
  const firstTask = Math.floor(now - days * DAY)
  const calendar = createCalendar(firstTask - 500 * DAY, now + 500 * DAY)
  const span = { from: calendar.toWork(firstTask), to: calendar.toWork(now) }

  const people = createPeople(random, makeId, Math.round(36 * scale ** 0.355), firstTask - 400 * DAY, firstTask - 62 * DAY, now - 70 * DAY)
  const projects = planProjects(random, people, Math.round(12 * scale ** 0.434), span)
  const parties = createCompanies(random, makeId, firstTask - 61 * DAY)
  const ids = new Map(projects.map((project) => [project, makeId(calendar.toTime(project.start))]))
  const pick = createProjectPicker(random, projects)
  const world = { random, calendar, makeId, parties, write: createWriter(random), now: span.to, isDetailed: tasks <= 20_000, parents: new Map() }
  let made = 0
  let last = span.from
  const files = new Map<string, DemoFile>()

  /** Every seventh task gets a file, a minute after what happened to it last, until there are enough. */
  function attachFile (life: TaskLife, emit: Emit): void {
    const at = life.task.last_activity_at + 60_000
    if (!withFiles || files.size >= MOST_FILES || made % 7 !== 3 || life.task.deleted_at !== null || at > now) return
    const file = makeFile(files.size, life.task.title)
    const row = life.attach(at, life.task.created_by, file)
    files.set(row.id, file)
    emit('stored_files', { id: row.id, storage: 'local', state: 'kept', since: at })
    emit('attachments', row)
  }

  return {
    files,
    months: monthsBetween(calendar.toTime(Math.min(...projects.map((project) => project.start))), now),
    makePeopleAndProjects: (emit) => {
      for (const person of people) emitPerson(person, emit)
      for (const { company, contacts } of parties.values()) {
        emit('companies', company)
        for (const contact of contacts) emit('contacts', contact)
      }
      for (const project of projects) emitProject(project, ids.get(project)!, { random, calendar, makeId, now: span.to, admin: people[0]! }, emit)
    },
    makeTasks: (count, emit) => {
      const until = Math.min(tasks, made + count)
      const before = made
      for (; made < until; made++) {
        last = Math.max(last + 1, Math.floor(span.from + (span.to - span.from) * (made + random.next()) / tasks))
        const project = pick(last)
        const life = tellStory(world, project, ids.get(project)!, Math.min(last, span.to))
        attachFile(life, emit)
        emit('tasks', life.task)
        for (const hold of life.holds) emit('ball_holds', hold)
        for (const comment of life.comments) emit('comments', comment)
        for (const mention of life.mentions) emit('comment_mentions', mention)
        for (const event of life.events) emit('activity_log', event)
        for (const notification of life.notifications) {
          if (isKept(notification, random, calendar, now)) emit('notifications', notification)
        }
      }
      return made - before
    },
    makeCounters: (emit) => {
      for (const project of projects) emit('project_counters', { project_id: ids.get(project)!, last_task_number: project.numbers.task })
    }
  }
}

/** Notifications are kept for half a year. Those of the last days are mostly unread, older ones read by and by. */
function isKept (notification: NotificationRow, random: Random, calendar: WorkCalendar, now: number): boolean {
  const age = now - notification.created_at
  if (age > 180 * DAY) return false
  if (random.chance(age < 3 * DAY ? 0.35 : age < 10 * DAY ? 0.8 : 0.96)) {
    const readAt = calendar.toTime(calendar.toWork(notification.created_at) + Math.floor(random.around(WORKDAY / 4, 1)))
    if (readAt <= now) notification.read_at = readAt
  }
  return true
}

function emitPerson (person: Person, emit: Emit): void {
  emit('users', { id: person.id, email: person.email, name: person.name, job_title: person.jobTitle, phone: person.phone, department: person.department, is_active: person.isActive, version: person.version, created_at: person.createdAt, updated_at: person.updatedAt })
  emit('user_roles', { user_id: person.id, role_id: roleIds[person.role] })
}

interface ProjectWorld { random: Random, calendar: WorkCalendar, makeId: MakeId, now: number, admin: Person }

/** A project: set up, its people added within days, its description completed, and perhaps put on hold or closed. */
function emitProject (project: Project, id: string, { random, calendar, makeId, now, admin }: ProjectWorld, emit: Emit): void {
  const createdAt = calendar.toTime(project.start)
  const { code, name, visibility } = project
  const row = { id, code, name, description: '', status: 'active', visibility, created_by: admin.id, version: 0, created_at: createdAt, updated_at: createdAt }
  const events: EventRow[] = []
  const log = (at: number, actor: Person, action: string, changes: EventRow['changes'], data: EventRow['data'] = {}) => {
    // Who is on a project is not part of its version.
    if (action !== 'member_added') {
      row.version++
      row.updated_at = at
    }
    const eventId = makeId(at)
    events.push({ id: eventId, created_at: at, entity_type: 'project', entity_id: id, action, actor_id: actor.id, project_id: id, task_id: null, version: row.version, changes, data, request_id: `seed-${eventId.slice(-7)}` })
  }

  const first = { code, name, description: '', status: 'active', visibility }
  log(createdAt, admin, 'created', Object.fromEntries(Object.entries(first).map(([field, value]) => [field, [null, value]])))
  const members = project.members.map(({ person, role }, i) => {
    const at = calendar.toTime(project.start + (i + 1) * random.int(60_000, 240_000) + i * 240_000)
    return { person, role, at }
  }).sort((a, b) => a.at - b.at)
  for (const { person, role, at } of members) log(at, person === project.manager ? admin : project.manager, 'member_added', { member_role: [null, role] }, { user_id: person.id })

  const completed = calendar.toTime(project.start + WORKDAY)
  row.description = project.description
  log(completed, project.manager, 'updated', { description: ['', project.description] })
  if (project.status !== 'active' && project.end <= now) {
    row.status = project.status
    log(calendar.toTime(project.end), project.manager, 'updated', { status: ['active', project.status] })
  }

  emit('projects', row)
  for (const { person, role, at } of members) emit('project_members', { project_id: id, user_id: person.id, role, added_by: (person === project.manager ? admin : project.manager).id, created_at: at, updated_at: at })
  for (const event of events) emit('activity_log', event)
}

function monthsBetween (from: number, to: number): string[] {
  const months: string[] = []
  const day = new Date(from)
  for (let month = Date.UTC(day.getUTCFullYear(), day.getUTCMonth()); month <= to;) {
    months.push(new Date(month).toISOString().slice(0, 10))
    const next = new Date(month)
    month = next.setUTCMonth(next.getUTCMonth() + 1)
  }
  return months
}
