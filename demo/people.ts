import type { MakeId } from './ids.js'
import type { Random } from './random.js'
import { firstNames, lastNames } from './vocabulary/names.js'

export const departments = ['Operations', 'Procurement', 'Accounting', 'Service', 'Estimating', 'Scheduling'] as const
export type Department = typeof departments[number]
export type SystemRole = 'admin' | 'manager' | 'member' | 'viewer'

/** The ids of the roles that the migrations make. */
export const roleIds: Record<SystemRole, string> = {
  admin: '00000000-0000-7000-8000-000000000001',
  manager: '00000000-0000-7000-8000-000000000002',
  member: '00000000-0000-7000-8000-000000000003',
  viewer: '00000000-0000-7000-8000-000000000004'
}

/** A row of `users`, with the role that the person holds; times are Unix ms. */
export interface Person {
  id: string
  email: string
  /** What comes after the @ of a mention: the part of the address before its own @. */
  mailbox: string
  name: string
  jobTitle: string
  /** The company's number, which is one of those kept for stories, and an extension. */
  phone: string
  department: Department
  role: SystemRole
  isActive: boolean
  version: number
  createdAt: number
  updatedAt: number
}

/** Of 35 people who are not the administrator, how many work where. */
const shares: Record<Department, number> = { Operations: 11, Procurement: 5, Accounting: 4, Service: 6, Estimating: 5, Scheduling: 4 }

/** Titles by seniority: the first is the department's head and a manager, the last repeat. */
const jobTitles: Record<Department, readonly string[]> = {
  Operations: ['Director of Operations', 'Senior Project Manager', 'Project Manager', 'Project Manager', 'Site Superintendent', 'Mechanical Foreman', 'Electrical Foreman', 'BIM Coordinator', 'Project Coordinator', 'Site Supervisor', 'Commissioning Lead'],
  Procurement: ['Procurement Manager', 'Senior Buyer', 'Buyer', 'Expediter', 'Logistics Coordinator'],
  Accounting: ['Controller', 'Project Accountant', 'Accounts Payable Clerk', 'Accounts Receivable Clerk'],
  Service: ['Service Manager', 'Service Dispatcher', 'HVAC Service Technician', 'Refrigeration Technician', 'Controls Technician', 'Service Electrician'],
  Estimating: ['Chief Estimator', 'Senior Mechanical Estimator', 'Electrical Estimator', 'Plumbing Estimator', 'Estimating Coordinator'],
  Scheduling: ['Scheduling Manager', 'Senior Planner', 'Project Scheduler', 'Labour Coordinator']
}

/**
 * The people of the company. The first is the administrator; each department has a head who is a manager; two look on
 * only; one or two have left.
 * @param count how many, the administrator included; at least 20
 * @param hiredFrom, hiredTo Unix ms between which their accounts were made
 * @param leftAt Unix ms around which those who left were deactivated
 */
export function createPeople (random: Random, makeId: MakeId, count: number, hiredFrom: number, hiredTo: number, leftAt: number): Person[] {
  const places: Array<{ department: Department, rank: number }> = []
  const perDepartment = Object.fromEntries(departments.map((name) => [name, 0])) as Record<Department, number>
  for (let i = 0; i < count - 1; i++) {
    // The department that is furthest behind its share.
    const department = departments.reduce((a, b) => (perDepartment[b] + 1) / shares[b] < (perDepartment[a] + 1) / shares[a] ? b : a)
    places.push({ department, rank: perDepartment[department]++ })
  }

  const step = Math.floor((hiredTo - hiredFrom) / count)
  const taken = new Set<string>(['morgan eden'])
  const people: Person[] = []
  for (const [i, { department, rank }] of [{ department: 'Operations' as const, rank: -1 }, ...places].entries()) {
    const isAdmin = i === 0
    const name = isAdmin ? 'Morgan Eden' : newName(random, taken)
    const titles = jobTitles[department]
    const createdAt = hiredFrom + i * step + random.int(0, Math.max(0, step - 1))
    const mailbox = isAdmin ? 'admin' : name.toLowerCase().replaceAll(' ', '.')
    people.push({
      id: makeId(createdAt),
      email: `${mailbox}@edenmep.ca`,
      mailbox,
      name,
      jobTitle: isAdmin ? 'President' : titles[rank < titles.length ? rank : 2 + rank % (titles.length - 2)]!,
      phone: `+1 416 555 0142 x${101 + i}`,
      department,
      role: isAdmin ? 'admin' : rank === 0 || (department === 'Operations' && rank <= Math.max(2, perDepartment.Operations / 6)) ? 'manager' : 'member',
      isActive: true,
      version: 1,
      createdAt,
      updatedAt: createdAt
    })
  }
  retire(people, random, leftAt, Math.max(2, Math.round(count / 60)))
  return people
}

/** The last to be hired in some departments look on, or have left: heads and project managers stay. */
function retire (people: Person[], random: Random, leftAt: number, leavers: number): void {
  const last = (department: Department) => people.findLast((p) => p.department === department && p.role === 'member' && p.isActive)
  for (const [department, jobTitle] of [['Accounting', 'Internal Auditor'], ['Operations', 'Client Liaison']] as const) {
    const person = last(department)
    if (person) Object.assign(person, { role: 'viewer', jobTitle })
  }
  for (let i = 0; i < leavers; i++) {
    const person = last(i % 2 === 0 ? 'Service' : 'Operations')
    if (person) Object.assign(person, { isActive: false, version: 2, updatedAt: Math.max(person.createdAt + 1, leftAt - random.int(0, 20 * 86_400_000)) })
  }
}

function newName (random: Random, taken: Set<string>): string {
  for (;;) {
    const name = `${random.pick(firstNames)} ${random.pick(lastNames)}`
    if (taken.has(name.toLowerCase())) continue
    taken.add(name.toLowerCase())
    return name
  }
}
