import { sql, type Expression, type RawBuilder, type SelectQueryBuilder } from 'kysely'
import { Type } from 'typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { InvalidValue, withMembers } from '../../plugins/errors.js'
import { OneOf } from './schemas.js'
import { isTimestamp } from '../../plugins/validation.js'

/** One order of a list: the expression it sorts by, and the type of that. Backed by an index that ends in the id. */
export interface Order { by: Expression<any>, type: 'timestamptz' | 'text' | 'integer' }

/** What a list is asked for. */
export interface PageRequest { limit?: number, cursor?: string, sort?: string }

/** Rows of a keyset query carry the key they were sorted by; the response schema leaves it out. */
export interface Keyed { id: string, sort_key: string }

/** The query parameters of every list; `sorts` are the fields that an index backs, the first the default. */
export const pageParameters = <S extends string>(sorts: readonly S[], fallback: S | `-${S}`) => ({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'how many at most' })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2000, description: 'where to go on: from the Link header of the page before' })),
  count: Type.Optional(Type.Boolean({ default: false, description: 'true adds X-Total-Count' })),
  sort: Type.Optional(OneOf(sorts.flatMap((field) => [field, `-${field}`]), { default: fallback, description: 'a field, or -field for descending' }))
})

interface Position { sort: string, key: string, id: string }

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const timestamp = /^(infinity|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00)$/

function encodeCursor ({ sort, key, id }: Position): string {
  return Buffer.from(JSON.stringify([sort, key, id])).toString('base64url')
}

const keyIsGood: Record<Order['type'], (key: string) => boolean> = {
  timestamptz: (key) => key === 'infinity' || (timestamp.test(key) && isTimestamp(key.replace(' ', 'T').replace('+00', 'Z'))),
  text: (key) => key.length <= 500 && !key.includes('\0'),
  integer: (key) => /^\d{1,9}$/.test(key)
}

/** A cursor is ours, of this order, or refused: whatever else it says never reaches the database. */
function decodeCursor (cursor: string, sort: string, type: Order['type']): Position {
  try {
    const [cursorSort, key, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (cursorSort === sort && typeof key === 'string' && keyIsGood[type](key) && typeof id === 'string' && uuid.test(id)) return { sort, key, id }
  } catch {}
  throw withMembers(new InvalidValue('cursor is not one of this list and order'), { errors: [{ path: 'cursor', message: 'is not one of this list and order' }] })
}

/**
 * Turns a filtered query into one page of it by keyset: page 1,000 costs what page 1 costs.
 * @param id the expression of the id, which makes the order total
 * @returns the query for `limit` rows and one more, which tells that there is a next page
 */
export function keyset<DB, TB extends keyof DB, O> (
  query: SelectQueryBuilder<DB, TB, O>,
  orders: Record<string, Order>,
  id: Expression<any>,
  { limit = 50, cursor, sort: asked }: PageRequest
): SelectQueryBuilder<DB, TB, O & { sort_key: string }> {
  const sort = asked ?? ''
  const descending = sort.startsWith('-')
  const order = orders[descending ? sort.slice(1) : sort]
  if (order === undefined) throw new Error(`no such order: ${sort}`)
  const direction = descending ? 'desc' : 'asc'
  const { by } = order
  let page = query.select(sql<string>`${by}::text`.as('sort_key')).orderBy(by, direction).orderBy(id, direction).limit(limit + 1)
  if (cursor !== undefined) {
    const after = decodeCursor(cursor, sort, order.type)
    const key = sql`${after.key}::${sql.raw(order.type)}`
    page = page.where(descending ? sql<boolean>`(${by}, ${id}) < (${key}, ${after.id}::uuid)` : sql<boolean>`(${by}, ${id}) > (${key}, ${after.id}::uuid)`)
  }
  return page as SelectQueryBuilder<DB, TB, O & { sort_key: string }>
}

/**
 * One page over some groups of rows, each of which has its order in an index of its own: the first rows of each, and of these
 * the first. For few groups of many, where the order of all would be walked past everything that is in the others.
 * @param groups a query of `id`
 * @param pageOf the page of one group, by `keyset`
 */
export function keysetOfEach<Row extends Keyed> (groups: Expression<unknown>, pageOf: (groupId: RawBuilder<string>) => Expression<unknown>, orders: Record<string, Order>, { limit = 50, sort = '' }: PageRequest): RawBuilder<Row> {
  const direction = sql.raw(sort.startsWith('-') ? 'desc' : 'asc')
  const { type } = orders[sort.replace(/^-/, '')] as Order
  return sql<Row>`
    select r.* from (${groups}) own cross join lateral (${pageOf(sql.ref('own.id'))}) r
    order by r.sort_key::${sql.raw(type)} ${direction}, r.id ${direction} limit ${limit + 1}`
}

/** The cursor of what follows a row of an order. */
export const cursorAfter = ({ sort_key: key, id }: Keyed, sort = ''): string => encodeCursor({ sort, key, id })

/** Sends a page: the rows asked for, and the `Link` to the next ones (RFC 8288) while there are more. */
export function sendPage<T extends Keyed> (request: FastifyRequest, reply: FastifyReply, rows: T[], total?: number): T[] {
  const { limit = 50, sort = '' } = request.query as PageRequest
  if (total !== undefined) reply.header('x-total-count', total)
  if (rows.length <= limit) return rows
  const page = rows.slice(0, limit)
  const last = page.at(-1) as T
  const next = new URL(request.url, 'http://localhost')
  next.searchParams.set('cursor', cursorAfter(last, sort))
  reply.header('link', `<${next.pathname}${next.search}>; rel="next"`)
  return page
}
