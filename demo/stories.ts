import { WORKDAY, type WorkCalendar } from './calendar.js'
import type { MakeId } from './ids.js'
import type { OutsideParty } from './companies.js'
import { TaskLife, toPerson, type Patch } from './life.js'
import type { Department, Person } from './people.js'
import { phaseOf, type Project } from './projects.js'
import type { Random } from './random.js'
import type { TaskRow, TaskStatus } from './records.js'
import { scheduleComments } from './talk.js'
import type { Wording } from './wording.js'

/** What every story is told with. */
export interface World {
  random: Random
  calendar: WorkCalendar
  makeId: MakeId
  /** Outside parties, by name. */
  parties: Map<string, OutsideParty>
  write: (project: Project, phase: number, at: number) => Wording
  /** The working clock now: what was planned for later has not happened. */
  now: number
  /** A small company is told in detail; at scale stories are shorter. */
  isDetailed: boolean
  /** Tasks that may get a subtask, by project: its last few. */
  parents: Map<Project, TaskRow[]>
}

/** Something that is to happen at a moment of the working clock; told the moment it does, on both clocks. */
export interface Step { at: number, happen: (time: number, at: number) => void }

const HOUR = WORKDAY / 10

/** What the scenes of one story share. */
export interface Scene {
  world: World
  project: Project
  words: Wording
  life: TaskLife
  assignee: Person
  born: number
  /** When the work is to be finished; whether that is still to come. */
  ends: number
  isOpen: boolean
  steps: Step[]
  someone: (department: Department) => Person
}

/**
 * The life of one task, from a moment of the working clock until it is over or until now: planned as steps, sorted by
 * time, and played until the present cuts the story off. So the tasks that are open now are those whose end is to come.
 */
export function tellStory (world: World, project: Project, projectId: string, born: number): TaskLife {
  const { random, calendar } = world
  const createdAt = calendar.toTime(born)
  const words = world.write(project, phaseOf(project, born), createdAt)
  const someone = (department: Department) => random.pick(project.crew[department])
  const assignee = someone(words.department)
  const creator = random.chance(0.25) ? project.manager : someone(random.chance(0.5) ? words.kind.route[0]! : words.department)
  const ends = endOf(world, project, born)
  const isOpen = ends > world.now
  const isAssigned = random.chance(0.84)
  const firstHolder = !isAssigned ? (random.chance(0.4) ? null : creator) : random.chance(0.4) ? someone(words.kind.route[0]!) : assignee
  const parent = random.chance(0.12) ? pickParent(world, project) : undefined
  const due = planDueDate(world, born, ends, isOpen)

  const life = new TaskLife(world.makeId, {
    project_id: projectId,
    number: ++project.numbers.task,
    parent_id: parent?.id ?? null,
    title: words.title,
    description: random.chance(0.5) ? words.fill(random.pick(words.kind.about)) : '',
    status: random.chance(0.12) ? 'todo' : 'open',
    priority: random.chance(0.68) ? 'normal' : random.chance(0.55) ? 'high' : random.chance(0.6) ? 'low' : 'urgent',
    department: random.chance(0.97) ? words.department : null,
    tags: words.tags,
    assignee_id: isAssigned ? assignee.id : null,
    ball_in_court: firstHolder?.id ?? null,
    due_at: due.first,
    created_by: creator.id,
    created_at: createdAt
  })
  if (!parent) remember(world, project, life.task)

  const scene: Scene = { world, project, words, life, assignee, born, ends, isOpen, steps: [], someone }
  if (!isAssigned) scheduleAssignment(scene)
  scheduleProgress(scene)
  scheduleHandovers(scene)
  scheduleChanges(scene, due.later)
  scheduleComments(scene)
  scheduleDeletion(scene)
  play(scene)
  return life
}

/**
 * When the work is finished: typically after two or three weeks; one task in twelve is stuck for most of a year. What
 * is left when a project is closed is finished with it; on hold nothing more happens.
 */
function endOf ({ random }: World, project: Project, born: number): number {
  const length = random.chance(0.085) ? random.around(190 * WORKDAY, 0.5) : random.around(19 * WORKDAY, 0.85)
  const end = born + Math.max(2 * HOUR, length)
  if (project.status === 'closed') return Math.min(end, project.end - WORKDAY - random.int(0, 10 * HOUR))
  return project.status === 'on_hold' && end > project.end ? end + 1000 * WORKDAY : end
}

function play ({ world, project, life, born, steps }: Scene): void {
  const until = project.status === 'on_hold' ? Math.min(project.end, world.now) : world.now
  let last = born
  for (const step of steps.sort((a, b) => a.at - b.at)) {
    const at = Math.max(step.at, last + 20_000)
    if (at > until || life.task.deleted_at !== null) break
    step.happen(world.calendar.toTime(at), at)
    last = Math.max(last, world.calendar.toWork(life.task.last_activity_at))
  }
}

/** Nobody has it yet: the manager gives it to someone, and a few minutes later the ball. */
function scheduleAssignment ({ project, life, assignee, born, ends, steps }: Scene): void {
  const at = born + Math.min(2 * WORKDAY, (ends - born) * 0.04)
  steps.push({ at, happen: (time) => life.change(time, project.manager.id, { assignee_id: assignee.id }) })
  steps.push({ at: at + 4 * 60_000, happen: (time) => life.change(time, project.manager.id, toPerson(assignee.id)) })
}

/** From open to done by the status flow; one in twenty will not be done, and a few are opened again. */
function scheduleProgress (scene: Scene): void {
  const { world: { random, isDetailed, now }, project, life, assignee, born, ends, steps } = scene
  const isDropped = random.chance(0.05)
  const path: TaskStatus[] = []
  if (life.task.status === 'open' && random.chance(isDetailed ? 0.6 : 0.3)) path.push('todo')
  if (!isDropped || random.chance(0.5)) path.push('in_progress')
  if (!isDropped && random.chance(isDetailed ? 0.55 : 0.2)) {
    path.push('review')
    if (random.chance(0.18)) path.push('in_progress', 'review')
  }
  path.push(isDropped ? 'closed' : 'done')

  // Stuck work gets going like any other; it is the end that does not come.
  const active = Math.min(ends - born, 40 * WORKDAY)
  path.forEach((status, i) => {
    const share = (i + 0.2 + 0.6 * random.next()) / path.length
    const at = i === path.length - 1 ? ends : born + active * share
    steps.push({ at, happen: (time) => life.change(time, life.hold.user_id ?? assignee.id, { status }) })
  })
  if (!isDropped && project.status === 'active' && random.chance(0.03)) {
    const again = ends + Math.min(random.around(2 * WORKDAY, 0.8), Math.max(HOUR, now - ends))
    steps.push({ at: again, happen: (time) => life.isFinished && life.change(time, project.manager.id, { status: 'in_progress' }) })
    steps.push({ at: again + random.around(4 * WORKDAY, 0.8), happen: (time) => !life.isFinished && life.change(time, life.hold.user_id ?? assignee.id, { status: 'done' }) })
  }
}

/** The ball goes round the departments of its kind of work, with a note, a date, and sometimes an acknowledgement. */
function scheduleHandovers (scene: Scene): void {
  const { world: { random, calendar, isDetailed, parties }, project, words, life, assignee, born, ends, steps, someone } = scene
  const acknowledge = (after: number) => {
    if (random.chance(0.45)) steps.push({ at: after + Math.min(random.around(3 * HOUR, 1), 3 * WORKDAY), happen: (time) => !life.isFinished && life.acknowledge(time) })
  }
  acknowledge(born)
  const active = Math.min(ends - born, 60 * WORKDAY)
  const said = new Set<string>()
  const count = isDetailed ? random.pick([0, 0, 1, 1, 2, 2, 3]) : random.pick([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])
  for (let i = 0; i < count; i++) {
    const at = born + active * (i + 0.25 + 0.6 * random.next()) / (count + 0.3)
    const isBack = i === count - 1 && count > 1
    const department = words.kind.route[(i + 1) % words.kind.route.length]!
    const expectedBy = random.chance(0.5) ? calendar.endOfDay(at + random.int(2, 10) * WORKDAY) : undefined
    const to = isBack ? assignee : someone(department)
    if (!isBack && random.chance(0.2)) {
      const { company, contacts } = parties.get(random.chance(0.6) ? project.consultant : project.generalContractor)!
      const outside = { ball_in_court: null, ball_company_id: company.id, ball_contact_id: random.chance(0.6) ? random.pick(contacts).id : null }
      const note = random.pick(['Sent for review, please answer by the date', 'Please confirm and return', 'Waiting on your answer before we can go on', 'For approval'])
      steps.push({ at, happen: (time) => !life.isFinished && life.change(time, life.hold.user_id ?? assignee.id, { ...outside }, { note, expectedBy }) })
      continue
    }
    const note = random.chance(0.85) ? pickNote(scene, to.department, said) : undefined
    steps.push({ at, happen: (time) => !life.isFinished && life.change(time, life.hold.user_id ?? assignee.id, toPerson(to.id), { note, expectedBy }) })
    acknowledge(at)
  }
}

/** What is said to the one who gets the ball, and has not been said before. */
function pickNote ({ world: { random }, words }: Scene, to: Department, said: Set<string>): string | undefined {
  const fresh = (words.kind.notes[to] ?? []).filter((note) => !said.has(note))
  if (fresh.length === 0) return undefined
  const note = random.pick(fresh)
  said.add(note)
  return words.fill(note)
}

/** What else is edited: a later date, a higher priority, a description, a tag. */
function scheduleChanges (scene: Scene, laterDue: { at: number, due: number } | undefined): void {
  const { world: { random, isDetailed }, project, words, life, assignee, born, ends, steps } = scene
  const edit = (at: number, actor: Person, patch: () => Patch) => steps.push({ at, happen: (time) => !life.isFinished && life.change(time, actor.id, patch()) })
  if (laterDue) edit(laterDue.at, project.manager, () => ({ due_at: laterDue.due }))
  if (!random.chance(isDetailed ? 0.3 : 0.1)) return
  const at = born + Math.min(ends - born, 30 * WORKDAY) * (0.1 + 0.7 * random.next())
  const choice = random.int(1, 4)
  if (choice === 1) edit(at, project.manager, () => ({ priority: life.task.priority === 'high' ? 'urgent' : 'high' }))
  if (choice === 2) edit(at, assignee, () => ({ description: words.fill(random.pick(words.kind.about)) }))
  if (choice === 3) edit(at, assignee, () => life.task.tags.includes('follow-up') ? {} : { tags: [...life.task.tags, 'follow-up'] })
  if (choice === 4) edit(at, assignee, () => ({ title: `${life.task.title} (rev. ${random.int(1, 3)})` }))
}

/** One in a hundred was made by mistake and is deleted within days, which ends its story; a quarter is restored at once. */
function scheduleDeletion ({ world: { random, calendar, now }, project, life, born, steps }: Scene): void {
  if (!random.chance(0.012)) return
  const at = born + Math.min(random.around(6 * HOUR, 1), 5 * WORKDAY)
  const wait = random.chance(0.25) ? random.int(1, 40) * 60_000 : Infinity
  steps.push({
    at,
    happen: (time, at) => {
      life.delete(time, life.task.created_by)
      if (at + wait <= now) life.restore(calendar.toTime(at + wait), project.manager.id)
    }
  })
}

/** Due dates are the ends of working days. Of the open tasks one in ten is overdue; old ones have been put off. */
function planDueDate ({ random, calendar, now }: World, born: number, ends: number, isOpen: boolean): { first: number | null, later?: { at: number, due: number } } {
  if (random.chance(0.14)) return { first: null }
  if (!isOpen) return { first: calendar.endOfDay(born + (ends - born) * (0.7 + 0.9 * random.next())) }
  const age = now - born
  if (age > 3 * WORKDAY && random.chance(0.12)) return { first: calendar.endOfDay(born + (age - 2 * WORKDAY) * (0.4 + 0.6 * random.next())) }
  const due = calendar.endOfDay(now + random.int(1, 30) * WORKDAY)
  if (age < 25 * WORKDAY) return { first: due }
  const first = born + random.int(8, 20) * WORKDAY
  return { first: calendar.endOfDay(first), later: { at: first - random.int(1, 30) * HOUR, due } }
}

function pickParent ({ random, parents }: World, project: Project): TaskRow | undefined {
  const candidates = (parents.get(project) ?? []).filter((task) => task.deleted_at === null)
  return candidates.length > 0 ? random.pick(candidates) : undefined
}

function remember ({ parents }: World, project: Project, task: TaskRow): void {
  const recent = parents.get(project) ?? []
  recent.push(task)
  if (recent.length > 12) recent.shift()
  parents.set(project, recent)
}
