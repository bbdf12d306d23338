import type { MakeId } from './ids.js'
import type { Random } from './random.js'
import type { CompanyRow, ContactRow } from './records.js'
import { firstNames, lastNames } from './vocabulary/names.js'
import { consultants, generalContractors } from './vocabulary/projects.js'
import { trades } from './vocabulary/trades.js'

/** An outside party with the people one talks to there. */
export interface OutsideParty { company: CompanyRow, contacts: ContactRow[] }

const authorities = ['City of Toronto Building', 'Technical Standards and Safety Authority', 'Electrical Safety Authority']

/** The companies that tasks speak of, by name, with one to three contacts each: made before the first task, and not changed since. */
export function createCompanies (random: Random, makeId: MakeId, at: number): Map<string, OutsideParty> {
  const vendors = [...new Set(Object.values(trades).flatMap(({ items }) => items.flatMap((item) => item.vendors)))]
  const named = ([['gc', generalContractors], ['engineer', consultants], ['ahj', authorities], ['vendor', vendors]] as const).flatMap(([kind, names]) => names.map((name) => ({ kind, name })))
  const parties = new Map<string, OutsideParty>()
  // A name stands for one company, whatever else it also is.
  for (const { kind, name } of named.filter(({ name }, i) => named.findIndex((other) => other.name.toLowerCase() === name.toLowerCase()) === i)) {
    const row = { version: 1, created_at: at, updated_at: at }
    const company: CompanyRow = { id: makeId(at), name, kind, phone: phoneOf(random), ...row }
    const domain = `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '')}.example`
    const people = new Set(Array.from({ length: random.int(1, 3) }, () => `${random.pick(firstNames)} ${random.pick(lastNames)}`))
    parties.set(name, {
      company,
      contacts: [...people].map((person) => ({
        id: makeId(at), company_id: company.id, name: person, email: `${person.toLowerCase().replaceAll(/[^a-z]+/g, '.')}@${domain}`, phone: phoneOf(random), title: random.pick(titles[kind]), ...row
      }))
    })
  }
  return parties
}

const titles = {
  gc: ['Project Manager', 'Site Superintendent', 'Project Coordinator'],
  engineer: ['Mechanical Engineer', 'Electrical Engineer', 'Contract Administrator'],
  ahj: ['Inspector', 'Plans Examiner'],
  vendor: ['Inside Sales', 'Account Manager', 'Application Engineer']
}

/** Numbers that are set aside for fiction (555-0100 to 555-0199). */
const phoneOf = (random: Random): string => `${random.pick(['416', '647', '905'])}-555-0${random.int(100, 199)}`
