/**
 * Each kind of field: one value that it takes, and what it must refuse, by name. A value is what JSON holds; in a query
 * string the texts among them are sent.
 */
export interface Kind {
  good: unknown
  bad: Record<string, unknown>
  /** Comma lists in a query string: may be repeated. */
  list?: true
}

/** A well-formed UUID that is nobody's. */
export const UNKNOWN_ID = '01900000-0000-7000-8000-00000000dead'

const long = 'x'.repeat(100_000)
const hostile = { NUL: 'a\0b', 'a control character': 'a\u001bb', DEL: 'a\u007fb', 'a C1 control': 'a\u0085b', 'a lone surrogate': 'a\ud800b', 'a lone low surrogate': '\udc00', '100,000 characters': long }
const notText = { null: null, 'a number': 5, 'a boolean': true, 'a list': ['x'], 'an object': { x: 1 } }
/** Not so deep that it is refused before anybody looks at it. */
const deep = JSON.parse('['.repeat(20) + ']'.repeat(20))

/** One line of text. */
export const line = (max: number): Kind => ({
  good: '📐 Déjà vu',
  bad: { ...notText, ...hostile, empty: '', 'white space': ' \u00a0\u3000', 'one too long': 'x'.repeat(max + 1), 'one emoji too long': '🚧'.repeat(max + 1), 'two lines': 'a\nb', 'a tab': 'a\tb', 'deep nesting': deep }
})

/** Text of several lines, which may be empty unless it must say something. */
export const prose = (max: number, { saysSomething = false } = {}): Kind => ({
  good: 'One 🔧\nTwo\tThree',
  bad: { ...notText, ...hostile, 'one too long': 'x'.repeat(max + 1), 'a bad end': `${'x'.repeat(max - 1)}\u0001`, ...(saysSomething ? { empty: '' } : {}) }
})

/** A project's code. */
export const code: Kind = {
  good: 'PS-001',
  bad: { ...notText, ...hostile, empty: '', 'white space': ' ', 'one too long': 'x'.repeat(33), emoji: 'PS-🚧', 'a slash': 'PS/1', 'a leading dash': '-PS', 'a line end': 'PS\n', 'a full-width digit': 'PS-１' }
}

export const email: Kind = {
  good: 'Jane.Doe+rfi@example.com',
  bad: { ...notText, ...hostile, empty: '', 'no at': 'jane.example.com', 'two ats': 'a@b@c', 'a space': 'jane doe@example.com', 'nobody there': '@example.com', 'a line end': 'a@b.ca\n', 'one too long': `${'x'.repeat(243)}@example.com` }
}

export const uuid: Kind = {
  good: UNKNOWN_ID,
  bad: { ...notText, ...hostile, empty: '', 'no UUID': 'not-a-uuid', 'a URN': `urn:uuid:${UNKNOWN_ID}`, braces: `{${UNKNOWN_ID}}`, 'no dashes': UNKNOWN_ID.replaceAll('-', ''), 'one digit more': `${UNKNOWN_ID}0`, 'a space': `${UNKNOWN_ID} `, 'no hex digit': UNKNOWN_ID.replace('d', 'g'), emoji: '🚧', SQL: "' or 1=1 --" }
}

export const time: Kind = {
  good: '2026-03-01T12:00:00.123456-05:00',
  bad: {
    ...notText,
    ...hostile,
    empty: '',
    'a day that does not exist': '2026-02-30T00:00:00Z',
    'a leap day of another year': '2026-02-29T00:00:00Z',
    'month 13': '2026-13-01T00:00:00Z',
    'year 0000': '0000-01-01T00:00:00Z',
    'year 10000': '10000-01-01T00:00:00Z',
    'year 10000 in UTC': '9999-12-31T23:59:59-05:00',
    'year 10000 when rounded': '9999-12-31T23:59:59.9999999Z',
    'year 0 in UTC': '0001-01-01T00:00:00+05:00',
    'a negative year': '-0001-01-01T00:00:00Z',
    'hour 24': '2026-01-01T24:00:00Z',
    'minute 60': '2026-01-01T00:60:00Z',
    'a leap second': '2016-12-31T23:59:60Z',
    'no offset': '2026-01-01T00:00:00',
    'no time': '2026-01-01',
    'a space for T': '2026-01-01 00:00:00Z',
    'an offset of a day': '2026-01-01T00:00:00+24:00',
    'an offset that nobody has': '2026-01-01T00:00:00+23:59',
    'an offset without minutes': '2026-01-01T00:00:00+05',
    'a fraction too fine': `2026-01-01T00:00:00.${'1'.repeat(200)}Z`,
    'a zone by name': '2026-01-01T00:00:00 America/Toronto',
    'a word of PostgreSQL': 'infinity',
    'another word of PostgreSQL': 'now'
  }
}

export const oneOf = (good: string): Kind => ({
  good,
  bad: { ...notText, ...hostile, empty: '', unknown: 'surprise', 'other case': good === good.toUpperCase() ? good.toLowerCase() : good.toUpperCase(), 'a space': ` ${good}`, constructor: 'constructor', prototype: '__proto__', emoji: '🚧' }
})

/** A whole number in a body, from 1 to what an int4 holds. */
export const version: Kind = {
  good: 1,
  bad: { null: null, text: '1', 'a boolean': true, 'a list': [1], zero: 0, negative: -1, fraction: 1.5, 'beyond int4': 2147483648, 'beyond int8': 1e19, 'the largest': Number.MAX_VALUE }
}

/** A whole number in a query string. */
export const count = (min: number, max: number): Kind => ({
  good: String(Math.max(min, 1)),
  bad: { empty: '', text: 'many', negative: '-1', 'too few': String(min - 1), 'too many': max === Number.MAX_SAFE_INTEGER ? '9007199254740992' : String(max + 1), huge: '99999999999999999999', fraction: '1.5', NaN: 'NaN', infinite: 'Infinity', 'beyond a double': '1e400', null: 'null', NUL: '1\0', emoji: '5️⃣', 'a list': '1,2', '100,000 digits': '1'.repeat(100_000) }
})

/** True or false in a query string. */
export const flag: Kind = { good: 'true', bad: { empty: '', 'a number': '1', 'a word': 'yes', 'other case': 'TRUE', NUL: 'true\0', long } }

/** Text in a query string that fits a pattern. */
export const text = (good: string, bad: Record<string, string>): Kind => ({ good, bad: { empty: '', ...hostile, ...bad } })

export const nullable = (kind: Kind): Kind => {
  const { null: _null, ...bad } = kind.bad
  return { good: kind.good, bad }
}

/** A list in a body. */
export const listOf = (kind: Kind, max: number): Kind => ({
  good: [kind.good],
  bad: {
    null: null,
    'no list': kind.good,
    'an object': { 0: kind.good },
    'the same twice': [kind.good, kind.good],
    'one too many': Array.from({ length: max + 1 }, (_, i) => `${kind.good} ${i}`),
    ...Object.fromEntries(Object.entries(kind.bad).map(([what, value]) => [`an item: ${what}`, [value]]))
  }
})

/** A comma list in a query string. */
export const commaListOf = (kind: Kind, max = Infinity): Kind => ({
  good: kind.good,
  list: true,
  bad: { ...kind.bad, 'an empty item': `${kind.good},`, 'only commas': ',,', ...(max === Infinity ? {} : { 'one too many': Array(max + 1).fill(kind.good).join(',') }) }
})

const forge = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

/** A cursor of a list that is sorted by `sort`; the keys of its order are times, texts or numbers. */
export const cursor = (sort: string, keys: 'time' | 'text' | 'number'): Kind => ({
  good: forge([sort, { time: '2026-01-01 00:00:00+00', text: 'a', number: '1' }[keys], UNKNOWN_ID]),
  bad: {
    empty: '',
    garbage: 'garbage',
    emoji: '🚧',
    NUL: '\0',
    'no JSON': Buffer.from('{').toString('base64url'),
    null: forge(null),
    'a number': forge(5),
    'an object': forge({ sort, key: 'a', id: UNKNOWN_ID }),
    'an empty list': forge([]),
    'of another order': forge(['title', 'a', UNKNOWN_ID]),
    'of no order': forge(['__proto__', 'a', UNKNOWN_ID]),
    'of this order the other way': forge([sort.startsWith('-') ? sort.slice(1) : `-${sort}`, '2026-01-01 00:00:00+00', UNKNOWN_ID]),
    'no id': forge([sort, '2026-01-01 00:00:00+00', 'x']),
    'an id with more behind it': forge([sort, '2026-01-01 00:00:00+00', `${UNKNOWN_ID}'--`]),
    'a key of another type': forge([sort, 5, UNKNOWN_ID]),
    'a key with NUL': forge([sort, 'a\0', UNKNOWN_ID]),
    'a key too long': forge([sort, 'x'.repeat(501), UNKNOWN_ID]),
    long,
    ...(keys === 'text'
      ? {}
      : Object.fromEntries(['2026-02-30 00:00:00+00', '2026-13-01 00:00:00+00', '0000-01-01 00:00:00+00', '2026-01-01 25:00:00+00', '2026-01-01 23:59:60+00', '10000-01-01 00:00:00+00', '2026-01-01', 'now', '-1', '1e3', '99999999999', 'NaN', '']
        .map((key) => [`at ${key}`, forge([sort, key, UNKNOWN_ID])])))
  }
})
