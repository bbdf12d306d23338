/**
 * Values for a JSON schema: right ones, such that just miss, and hostile ones. What a schema cannot say (which texts fit a
 * pattern, whose id a field holds) comes from a list of texts and from the world of the run.
 */
import type { Random } from './random.js'

export type Schema = Record<string, any>
/** Values that a field of this name should have, such as ids of what is there; undefined when any will do. */
export type Known = (name: string) => readonly unknown[] | undefined

/** JSON that no JavaScript value is written as: stands in for a number until the body is text. */
const raw = (literal: string) => `\u2402raw ${literal}\u2403`
export const toJson = (value: unknown): string | undefined => JSON.stringify(value)?.replaceAll(/"\u2402raw ([^\u2403]*)\u2403"/g, '$1')

const UNKNOWN_IDS = ['01900000-0000-7000-8000-00000000dead', '00000000-0000-0000-0000-000000000000', 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF']

const payloads = [
  "' or 1=1 --", "'; drop table tasks; --", '") or ("1"="1', "\\'; select pg_sleep(20); --", '1; select pg_sleep(20)', '$1', `$${'{7*7}'}`, '{{7*7}}', '<%= 7*7 %>',
  '<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', 'javascript:alert(1)', '=cmd|\' /C calc\'!A0', '@SUM(1+1)', '+1', '-1', '%s%s%n%x', '%n'.repeat(50),
  '../../../../etc/passwd', '..\\..\\windows\\win.ini', 'file:///etc/passwd', 'http://169.254.169.254/latest/meta-data/', '$(id)', '`id`', '| id', '&& id',
  '__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'null', 'undefined', 'NaN', 'true', 'Infinity', '0x10', '1e400', '(', '[a', 'a**', '\\', '"', "'", '%', '_', '*', '%%', ':*', '&', '!', '<->', 'a & | b',
  '"an open phrase', '-', '- -', 'or', 'or or', '""', '\\\\', '{}', '[]', '{"a":1}', '@', '@everyone', '@mona.ger', '@mona.ger'.repeat(20), 'x@y', '𝕏', 'ﷺ', 'ß', 'İ', 'ı', 'ﬁ', 'A\u030A', '\u200fשלום', '\u202egnp.exe', '\u200b', '\ufeffx', '👩‍👩‍👧‍👦', '🏳️‍🌈', '🇨🇦', 'Z̸̡̛a̷l̶g̵o̴', '\u2028', '\uffff', '\u{10ffff}', 'ａｄｍｉｎ', 'аdmin'
]
const impossible = ['a\0b', '\0', '\u0001', '\u001b[31m', 'a\r\nSet-Cookie: x=1', 'a\nb', '\t', '\u007f', '\u0085', '\ud800', 'a\udc00', '\udfff\ud800']
const everyday = [
  'Pump P-101', 'pump', 'RFI 12', 'a', ' x ', 'task', 'me', 'none', 'admin', 'member', 'viewer', 'true', 'false', '7', '30', '9999', 'Ada Min', '08:00', '17:00', '00:00', '23:59', '24:00', '12:30',
  '+1 (416) 555-0199', '416-555-0100 x22', '01234', 'someone@example.com', 'a@b', 'Ünï@exämple.ca', "o'hara+x@example.com", 'PS-001', 'HOSP_1.A', 'x', 'estimator', 'r-2', 'projects:read', 'tasks:write', 'no_such:thing', 'company:01900000-0000-7000-8000-00000000dead',
  'expire_job_runs', 'sign_in_refused', 'no_such_event', '2026-08-03', '1900-01-01', '2999-12-31', '2024-02-29', '1999-02-29', 'correct horse battery staple', 'another long pass phrase', 'short', '"1"', '"2", "3"', 'W/"1"', '*', ' "1" ', '"0"', '"999999999"', '"99999999999999999999"', '"1.x"', '""',
  'A'.repeat(43), '_-'.repeat(21) + 'z', 'req-1', '127.0.0.1', '::1'
]
const texts = [...everyday, ...payloads, ...impossible, ...UNKNOWN_IDS]

const times = ['2026-03-01T12:00:00Z', '2026-12-31T23:59:59.999999-05:00', '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '1969-12-31T23:59:59Z', '1970-01-01T00:00:00Z', '2026-03-08T02:30:00-05:00', '2024-02-29T00:00:00+14:00', '2026-01-01t00:00:00.123456789z']
const formats: Record<string, readonly string[]> = {
  uuid: UNKNOWN_IDS,
  'date-time': times,
  date: ['2026-08-03', '1900-01-01', '2999-12-31', '2024-02-29'],
  'time-zone': ['America/Toronto', 'UTC', 'Asia/Kathmandu', 'Pacific/Apia', 'america/toronto', 'Etc/GMT+12'],
  locale: ['en', 'en-CA', 'fr-CA', 'zh-Hant-TW', 'ar-EG-u-nu-latn'],
  ip: ['127.0.0.1', '::1', '255.255.255.255', '::ffff:10.0.0.1', '2001:db8::1']
}
const nearFormats: Record<string, readonly unknown[]> = {
  uuid: ['not-a-uuid', `urn:uuid:${UNKNOWN_IDS[0]}`, `{${UNKNOWN_IDS[0]}}`, `${UNKNOWN_IDS[0]}0`, (UNKNOWN_IDS[0] as string).slice(1), `${UNKNOWN_IDS[0]} `, (UNKNOWN_IDS[0] as string).replace('d', 'g')],
  'date-time': ['2026-02-30T00:00:00Z', '10000-01-01T00:00:00Z', '0000-01-01T00:00:00Z', '-0001-01-01T00:00:00Z', '9999-12-31T23:59:59-05:00', '2026-01-01T24:00:00Z', '2016-12-31T23:59:60Z', '2026-01-01T00:00:00', '2026-01-01', 'infinity', '-infinity', 'now', 'epoch', '2026-01-01T00:00:00+23:59', 1767225600, '+275760-09-13T00:00:00Z', '294277-01-01T00:00:00Z', '4714-11-24T00:00:00Z BC'],
  date: ['2026-02-30', '2026-13-01', '10000-01-01', '2026-8-3', '2026-08-03T00:00:00Z', 'today', '0000-00-00', '1899-12-31', '3000-01-01'],
  'time-zone': ['Mars/Olympus', '+05:00', 'EST5EDT4', '/etc/passwd', 'posixrules', 'localtime', 'abc3', 'UTC\0'],
  locale: ['e', 'english', 'en_CA', 'x-private', 'en-', '-'],
  ip: ['localhost', '10.0.0.0/8', '1.2.3.256', 'fe80::1%eth0', '010.0.0.1', '1.2.3', '::g']
}

const nested = (depth: number, open: string, close: string) => raw(open.repeat(depth) + '1' + close.repeat(depth))
/** Whatever the field: numbers at the ends of types, other types, texts of all kinds. */
const hostile: readonly unknown[] = [
  null, true, false, 0, 1, -1, 1.5, raw('-0'), raw('1e400'), raw('-1e400'), raw('1e-400'), raw('1.0'), raw('1E2'), raw('9'.repeat(400)), 2147483647, 2147483648, -2147483649, 9007199254740991, 9007199254740992, raw('9223372036854775807'), raw('9223372036854775808'), 1e308, 5e-324,
  [], {}, [[]], [null], ['x'], [1, 'x', null, {}], { x: 1 }, { length: 1 }, { toString: 1 }, { valueOf: null }, { then: 1 }, { toJSON: 'x' }, raw('{"__proto__":{"polluted":1}}'), raw('{"constructor":{"prototype":{"polluted":1}}}'), raw('{"a":1,"a":2}'), nested(20, '[', ']'), nested(40, '[', ']'), nested(20, '{"a":', '}'), nested(5000, '[', ']'),
  '', ' ', 'x'.repeat(255), 'x'.repeat(5001), 'é'.repeat(20_001), '🚧'.repeat(2000), '9'.repeat(400), Array(1000).fill('x'), Array(600).fill(UNKNOWN_IDS[0]), ...payloads, ...impossible, ...UNKNOWN_IDS, ...Object.values(nearFormats).flat()
]

const candidates = new Map<string, readonly string[]>()
/** The texts that a schema takes. @throws when there is none: then `everyday` lacks one for a new pattern */
function fitting ({ pattern, minLength = 0, maxLength = Infinity }: Schema): readonly string[] {
  const key = `${pattern} ${minLength} ${maxLength}`
  const known = candidates.get(key)
  if (known !== undefined) return known
  const form = pattern === undefined ? undefined : new RegExp(pattern, 'u')
  const ends = [minLength, maxLength].filter((length) => length > 0 && length <= 20_000).flatMap((length) => ['x'.repeat(length), '🚧'.repeat(length)])
  const found = [...texts, ...ends].filter((text) => {
    const { length } = [...text]
    return length >= minLength && length <= maxLength && (form?.test(text) ?? true)
  })
  if (found.length === 0) throw new Error(`no text for ${key}: add one to test/attacks/fuzz/values.ts`)
  candidates.set(key, found)
  return found
}

function wholeNumber ({ minimum = -1000, maximum = 1_000_000 }: Schema, random: Random): number {
  return random.pick([minimum, maximum, Math.min(minimum + 1, maximum), Math.min(Math.max(minimum, 2), maximum), minimum + random.below(maximum - minimum + 1), minimum + random.below(Math.min(50, maximum - minimum + 1))])
}

function listOf ({ items = {}, minItems = 0, maxItems = 5, uniqueItems = false }: Schema, random: Random, known: Known, name: string): unknown[] {
  const length = random.chance(0.03) ? Math.min(maxItems, 200) : Math.min(Math.max(minItems, random.below(4)), maxItems)
  const list = Array.from({ length }, () => rightValue(items, random, known, name))
  return uniqueItems ? [...new Map(list.map((one) => [JSON.stringify(one), one])).values()] : list
}

/** A value that the schema takes, of what is there where the name tells what it is about. */
export function rightValue (schema: Schema, random: Random, known: Known = () => undefined, name = ''): unknown {
  const branches: Schema[] | undefined = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return rightValue(random.chance(0.8) ? branches[0] as Schema : random.pick(branches), random, known, name)
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return random.pick(schema.enum)
  switch (schema.type) {
    case 'null': return null
    case 'boolean': return random.chance(0.5)
    case 'integer': return random.chance(0.5) ? random.pick(known(name) ?? [wholeNumber(schema, random)]) : wholeNumber(schema, random)
    case 'number': return random.pick([0, 1, 0.5, 1e6])
    case 'array': return listOf(schema, random, known, name)
    case 'object': return objectOf(schema, random, known)
    case 'string': {
      const own = known(name)
      if (own !== undefined && own.length > 0 && random.chance(0.9)) return random.pick(own)
      return random.pick(formats[schema.format] ?? fitting(schema))
    }
    default: return random.pick(hostile.slice(0, 20))
  }
}

function objectOf (schema: Schema, random: Random, known: Known): Record<string, unknown> {
  const { properties = {}, required = [], minProperties = 0 } = schema
  const names = Object.keys(properties)
  const share = random.pick([0.15, 0.3, 0.6, 1])
  let chosen = names.filter((name) => required.includes(name) || random.chance(share))
  if (chosen.length < minProperties) chosen = [...new Set([...chosen, random.pick(names)])]
  return Object.fromEntries(chosen.map((name) => [name, rightValue(properties[name], random, known, name)]))
}

/** A value that the schema just does not take. */
export function nearMiss (schema: Schema, random: Random, known: Known, name = ''): unknown {
  const branches: Schema[] | undefined = schema.anyOf ?? schema.oneOf
  if (branches !== undefined) return nearMiss(branches[0] as Schema, random, known, name)
  if (schema.enum !== undefined) {
    const one = String(random.pick(schema.enum))
    return random.pick<unknown>([one.toUpperCase(), ` ${one}`, `${one}\0`, one.slice(1), '', null, [one], { [one]: 1 }])
  }
  const { minimum = 0, maximum = 2 ** 53, minLength = 0, maxLength = 255, minItems = 0, maxItems = 100 } = schema
  switch (schema.type) {
    case 'integer': return random.pick<unknown>([minimum - 1, maximum + 1, minimum + 0.5, String(minimum), raw('1e400'), raw('-0'), `${minimum} `, '', null, true, [minimum]])
    case 'boolean': return random.pick<unknown>(['true', 'TRUE', 'yes', 1, 0, null, [true], ''])
    case 'array': {
      const one = rightValue(schema.items ?? {}, random, known, name)
      return random.pick<unknown>([Array(Math.min(maxItems + 1, 600)).fill(one), [one, one], Array(Math.max(minItems - 1, 0)).fill(one), [nearMiss(schema.items ?? {}, random, known, name)], one, null, { 0: one }])
    }
    case 'object': return missedObject(schema, random, known)
    case 'string': {
      const value = String(rightValue(schema, random, known, name))
      return random.pick<unknown>([
        ...(nearFormats[schema.format] ?? []), 'x'.repeat(Math.min(maxLength + 1, 30_000)), '🚧'.repeat(Math.min(maxLength + 1, 30_000)), 'x'.repeat(Math.max(minLength - 1, 0)), `${value}\0`, `${value}\n`, ` ${value}`, `${value}'`, value.toUpperCase(), '', null, 5, true, [value], { value }, ...impossible
      ])
    }
    default: return random.pick(hostile)
  }
}

/** One field that is wrong, missing, or one that nobody knows, somewhere in an object that would be right. */
function missedObject (schema: Schema, random: Random, known: Known): unknown {
  const { properties = {}, required = [] } = schema
  const value = objectOf(schema, random, known)
  const kind = random.next()
  if (kind < 0.1 && required.length > 0) {
    const missing = random.pick<string>(required)
    return Object.fromEntries(Object.entries(value).filter(([name]) => name !== missing))
  }
  if (kind < 0.2) return { ...value, [random.pick(['surprise', 'constructor', 'toString', 'id', 'is_admin', 'version', '🚧', 'a/b~c', ''])]: 1 }
  if (kind < 0.25 || Object.keys(properties).length === 0) return random.pick<unknown>([{}, null, [], [value], 'x', 5])
  const name = random.pick(Object.keys(properties))
  return { ...value, [name]: nearMiss(properties[name], random, known, name) }
}

/** Anything at all, whatever the schema. */
export const hostileValue = (random: Random): unknown => random.pick(hostile)

/** A value of the schema's shape with something hostile in the place of a part. */
export function poisoned (schema: Schema, random: Random, known: Known): unknown {
  const { properties = {} } = schema
  const names = Object.keys(properties)
  if (schema.type !== 'object' || names.length === 0 || random.chance(0.2)) return hostileValue(random)
  const name = random.pick(names)
  const inner: Schema = properties[name]
  const bad = inner.type === 'object' || inner.type === 'array' ? (random.chance(0.5) && inner.items !== undefined ? [poisoned(inner.items, random, known)] : poisoned(inner, random, known)) : hostileValue(random)
  return { ...objectOf(schema, random, known), [name]: bad }
}

/** What a value is in a URL or a header, where all is text. */
export function asText (value: unknown): string {
  if (typeof value === 'string') return value.replaceAll(/\u2402raw ([^\u2403]*)\u2403/g, '$1')
  if (Array.isArray(value)) return value.map(asText).join(',')
  return toJson(value) ?? ''
}
