import { departments, type Department } from './people.js'
import type { Project } from './projects.js'
import type { Random } from './random.js'
import { kinds, type Kind } from './vocabulary/kinds.js'
import { titleGroups, type TitleGroup } from './vocabulary/titles.js'
import { trades, type Item, type Trade, type TradeWords } from './vocabulary/trades.js'

/** What a task is about. `fill` writes any template with the same vendor, equipment, level ... as the title. */
export interface Wording {
  title: string
  department: Department
  kind: Kind
  tags: string[]
  fill: (template: string) => string
}

interface Context { random: Random, project: Project, trade: TradeWords, item: Item, at: number, numbers: { order: number } }

const months = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December']
const dayName = (time: number) => {
  const date = new Date(time)
  return `${months[date.getUTCMonth()]} ${date.getUTCDate()}`
}
const two = (n: number) => String(n).padStart(2, '0')
const three = (n: number) => String(n).padStart(3, '0')

const slots: Record<string, (context: Context) => string> = {
  level: ({ random, project }) => random.pick(project.type.levels),
  area: ({ random, project }) => random.pick(project.type.areas),
  equipment: ({ random, item }) => item.tag.replace(/#/g, () => String(random.int(1, 24))),
  vendor: ({ random, item }) => random.pick(item.vendors),
  system: ({ random, trade }) => random.pick(trade.systems),
  piping: ({ random, trade }) => random.pick(trade.piping),
  service: ({ random, trade }) => random.pick(trade.services),
  other: ({ random, trade }) => random.pick(random.pick(Object.values(trades).filter((other) => other !== trade)).services),
  drawing: ({ random, trade }) => `${trade.drawing}-${random.int(1, 7)}${two(random.int(1, 24))}`,
  spec: ({ item }) => item.spec,
  grid: ({ random }) => `${random.pick('ABCDEFGHJK'.split(''))}${random.int(1, 18)}`,
  letter: ({ random }) => `${random.pick('ABCDEFHL'.split(''))}${random.int(1, 9)}`,
  n: ({ random }) => String(random.int(2, 40)),
  unit: ({ random }) => String(random.int(1, 8)),
  date: ({ random, at }) => dayName(at + random.int(3, 40) * 86_400_000),
  gc: ({ project }) => project.generalContractor,
  consultant: ({ project }) => project.consultant,
  rfi: ({ project }) => `RFI-${three(++project.numbers.rfi)}`,
  submittal: ({ project }) => `SUB-${three(++project.numbers.submittal)}`,
  change: ({ project }) => `PCN-${three(++project.numbers.change)}`,
  po: ({ numbers }) => `PO-${20100 + ++numbers.order}`,
  invoice: ({ random }) => `#${random.int(10000, 99999)}`,
  call: ({ numbers }) => `S-${40200 + ++numbers.order}`
}

/** Titles of a department that fit a phase, each with its group, and as often as its weight. */
const byPhase = new Map<string, Array<{ group: TitleGroup, title: string }>>()
for (const department of departments) {
  for (let phase = 0; phase <= 4; phase++) {
    byPhase.set(department + phase, titleGroups.filter((group) => group.department === department)
      .flatMap((group) => group.phases.filter((p) => p === phase).flatMap(() => group.titles.map((title) => ({ group, title })))))
  }
}

/** How much of the work is made by which department. */
const shares: ReadonlyArray<[Department, number]> = [['Operations', 0.42], ['Procurement', 0.2], ['Accounting', 0.09], ['Service', 0.09], ['Estimating', 0.11], ['Scheduling', 0.09]]

/** Makes the words of tasks that are made at a moment (Unix ms); orders and service calls are numbered through the company. */
export function createWriter (random: Random): (project: Project, phase: number, at: number) => Wording {
  const numbers = { order: 0 }
  return (project, phase, at) => {
    const department = pickDepartment(random)
    const { group, title } = random.pick(byPhase.get(department + phase)!)
    const trade: Trade = random.pick(group.trades)
    const kind: Kind = kinds[group.kind]
    const context: Context = { random, project, trade: trades[trade], item: random.pick(trades[trade].items), at, numbers }
    const known: Record<string, string> = {}
    const fill = (template: string) => fillSlots(template, context, known)
    return { title: fill(title), department, kind, tags: tagsOf(random, kind, trade), fill }
  }
}

const compiled = new Map<string, string[]>()

/** Texts and slots alternate in a compiled template: a million titles should not parse theirs again. */
function fillSlots (template: string, context: Context, known: Record<string, string>): string {
  let parts = compiled.get(template)
  if (parts === undefined) compiled.set(template, parts = template.split(/\{(\w+)\}/))
  let text = parts[0]!
  for (let i = 1; i < parts.length; i += 2) {
    const slot = parts[i]!
    text += (known[slot] ??= slots[slot]!(context)) + parts[i + 1]!
  }
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function pickDepartment (random: Random): Department {
  let left = random.next()
  for (const [department, share] of shares) {
    left -= share
    if (left < 0) return department
  }
  return 'Operations'
}

function tagsOf (random: Random, kind: Kind, trade: Trade): string[] {
  const tags = random.chance(0.8) ? [kind.tag, trades[trade].tag] : random.chance(0.5) ? [kind.tag] : []
  if (random.chance(0.06)) tags.push(random.pick(['long-lead', 'critical-path', 'night-work', 'shutdown', 'client-request']))
  return tags
}
