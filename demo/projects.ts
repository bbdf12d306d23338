import { WORKDAY } from './calendar.js'
import { departments, type Department, type Person } from './people.js'
import type { Random } from './random.js'
import { buildingTypes, consultants, generalContractors, places, type BuildingType } from './vocabulary/projects.js'

export type ProjectStatus = 'active' | 'on_hold' | 'closed'
export type MemberRole = 'manager' | 'member' | 'viewer'

/** A project as it is planned: who is on it and when it runs (on the working clock), and the numbers it has given out. */
export interface Project {
  code: string
  name: string
  description: string
  type: BuildingType
  generalContractor: string
  consultant: string
  visibility: 'company' | 'members'
  status: ProjectStatus
  /** When it was set up, when its last tasks are made, and when it was put on hold or closed. */
  start: number
  lastTasks: number
  end: number
  /** What its share of the tasks is proportional to. */
  weight: number
  manager: Person
  members: Array<{ person: Person, role: MemberRole }>
  /** Those who act, by department: each department has someone. */
  crew: Record<Department, Person[]>
  /** The last number given to a task, a request for information, ... */
  numbers: { task: number, rfi: number, submittal: number, change: number }
}

/**
 * Plans the projects. The demo company's twelve all begin within two months of the first task; at scale they follow
 * one another, a year or two each.
 * @param span the working clock when the first task is made, and now
 */
export function planProjects (random: Random, people: Person[], count: number, span: { from: number, to: number }): Project[] {
  const lead = 40 * WORKDAY
  const length = span.to - span.from
  const isDemo = count <= buildingTypes.length
  return Array.from({ length: count }, (_, i) => {
    const type = buildingTypes[i % buildingTypes.length]!
    const place = i < places.length ? places[i]! : `${random.pick(places)} ${random.pick(['North', 'South', 'East', 'West', 'Phase 2', 'Phase 3', 'Annex', 'Block C'])}`
    const start = isDemo
      ? span.from - (i === 0 ? lead : random.int(2 * WORKDAY, lead - WORKDAY))
      : Math.max(span.from - lead + i * 1000, span.from - lead + Math.floor((i / count) * (length + lead)) - random.int(0, 150 * WORKDAY))
    const planned = random.int(280, 480) * WORKDAY
    // Of the first twelve one is on hold and one is closed, so that even the smallest company has both.
    const end = i === 4 && isDemo ? span.to - 14 * WORKDAY : i === 9 && isDemo ? span.to - 9 * WORKDAY : start + planned
    const status = end > span.to - WORKDAY ? 'active' : i % 12 === 4 ? 'on_hold' : 'closed'
    const crew = pickCrew(random, people, isDemo)
    const manager = random.pick(crew.Operations.filter((person) => person.role === 'manager'))
    return {
      code: `${type.code}-${String(i === 0 ? 1 : isDemo ? random.int(2, 60) : i + 1).padStart(3, '0')}`,
      name: type.name.replace('{place}', place),
      description: type.description,
      type,
      generalContractor: random.pick(generalContractors),
      consultant: random.pick(consultants),
      visibility: i % 6 === 4 ? 'members' : 'company',
      status,
      start,
      lastTasks: status === 'active' ? Infinity : end - 3 * WORKDAY,
      end: status === 'active' ? start + planned : end,
      weight: 0.5 + random.next() * 1.5,
      manager,
      members: membersOf(random, people, crew, manager),
      crew,
      numbers: { task: 0, rfi: random.int(0, 30), submittal: random.int(0, 40), change: random.int(0, 12) }
    }
  })
}

/** How many of a department work on one project. */
const crewSize: Record<Department, [number, number]> = { Operations: [3, 5], Procurement: [1, 3], Accounting: [1, 2], Service: [1, 3], Estimating: [1, 2], Scheduling: [1, 2] }

function pickCrew (random: Random, people: Person[], isDemo: boolean): Record<Department, Person[]> {
  const crew = {} as Record<Department, Person[]>
  for (const department of departments) {
    const candidates = people.filter((person) => person.department === department && person.isActive && (person.role === 'member' || person.role === 'manager'))
    const chosen = new Set<Person>()
    if (department === 'Operations') chosen.add(random.pick(candidates.filter((person) => person.role === 'manager')))
    const [min, max] = crewSize[department]
    const size = Math.min(candidates.length, random.int(min, isDemo ? max : max + 2))
    while (chosen.size < size) chosen.add(random.pick(candidates))
    crew[department] = [...chosen]
  }
  return crew
}

function membersOf (random: Random, people: Person[], crew: Record<Department, Person[]>, manager: Person): Project['members'] {
  const members = departments.flatMap((department) => crew[department]).map((person) => ({ person, role: person === manager ? 'manager' as const : 'member' as const }))
  const onlookers = people.filter((person) => person.role === 'viewer' || !person.isActive)
  return [...members, ...onlookers.filter(() => random.chance(0.4)).map((person) => ({ person, role: 'viewer' as const }))]
}

/** The projects that get new tasks at a moment of the working clock, to draw from by weight. Asked with rising moments. */
export function createProjectPicker (random: Random, projects: Project[]): (work: number) => Project {
  let day = -1
  let running: Project[] = []
  let total = 0
  return (work) => {
    if (Math.floor(work / WORKDAY) !== day) {
      day = Math.floor(work / WORKDAY)
      running = projects.filter((project) => project.start < work && work < Math.min(project.lastTasks - WORKDAY, project.end))
      // Between two projects, the one that was set up last goes on.
      if (running.length === 0) running = [projects.filter((project) => project.start < work && project.status === 'active').at(-1) ?? projects[0]!]
      total = running.reduce((sum, project) => sum + project.weight, 0)
    }
    let left = random.next() * total
    for (const project of running) {
      left -= project.weight
      if (left < 0) return project
    }
    return running.at(-1)!
  }
}

/** How far a project is: 0 pre-construction, 1 rough-in, 2 finishing, 3 commissioning, 4 close-out. */
export function phaseOf (project: Project, work: number): number {
  const share = (work - project.start) / (project.end - project.start)
  return share < 0.15 ? 0 : share < 0.5 ? 1 : share < 0.75 ? 2 : share < 0.92 ? 3 : 4
}
