import { sql, type Expression, type SqlBool } from 'kysely'
import type { Static } from 'typebox'
import { allowedInProjects } from '../../plugins/auth/index.js'
import type { Db } from '../../plugins/database/index.js'
import { keyset, type Keyed, type Order, type PageRequest } from '../shared/pagination.js'
import { inTransaction } from '../shared/transaction.js'
import type { ApiToken, CreateApiToken, HeldApiToken } from './schemas.js'

export type ApiTokenRow = Static<typeof ApiToken>
export type HeldApiTokenRow = Static<typeof HeldApiToken>

const state = sql<ApiTokenRow['state']>`case when t.revoked_at is not null then 'revoked' when t.expires_at <= now() then 'expired' else 'live' end`
const columns = ['t.id', 't.name', 't.scopes', 't.created_at', 't.expires_at', 't.revoked_at', 't.last_used_at'] as const
const lastUsedIp = sql<string | null>`host(t.last_used_ip)`.as('last_used_ip')
const orders: Record<string, Order> = { created_at: { by: sql`t.created_at`, type: 'timestamptz' } }

/** What a list shows: whose tokens, anyone's when left out, and in which states. */
export interface ApiTokenFilter { holder?: string, state?: string[] }

const filtered = (db: Db, { holder, state: states }: ApiTokenFilter) => db.selectFrom('api_tokens as t')
  .$if(holder !== undefined, (qb) => qb.where('t.user_id', '=', holder as string))
  .$if(states !== undefined, (qb) => qb.where(sql<SqlBool>`${state} = any(${states ?? []}::text[])`))

/** One page of someone's tokens, and one row more when there is a next page. */
export function listApiTokens (db: Db, { filter, page }: { filter: ApiTokenFilter, page: PageRequest }): Promise<(ApiTokenRow & Keyed)[]> {
  return keyset(filtered(db, filter).select([...columns, lastUsedIp, state.as('state')]), orders, sql`t.id`, page).$castTo<ApiTokenRow & Keyed>().execute()
}

/** The same of anyone's, with who holds each. */
export function listHeldApiTokens (db: Db, { filter, page }: { filter: ApiTokenFilter, page: PageRequest }): Promise<(HeldApiTokenRow & Keyed)[]> {
  return keyset(filtered(db, filter).innerJoin('users as u', 'u.id', 't.user_id')
    .select([...columns, lastUsedIp, state.as('state'), sql`jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email)`.as('holder')]), orders, sql`t.id`, page)
    .$castTo<HeldApiTokenRow & Keyed>().execute()
}

export async function countApiTokens (db: Db, filter: ApiTokenFilter): Promise<number> {
  const { total } = await filtered(db, filter).select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return total
}

/**
 * Adds a token for someone who has fewer than `most` live ones.
 * @returns its row, or undefined when they have as many
 */
export function createApiToken (db: Db, { id, holder, hash, values, most }: { id: string, holder: string, hash: Buffer, values: CreateApiToken, most: number }): Promise<ApiTokenRow | undefined> {
  return inTransaction(db, async (trx) => {
    // Two at once are counted one after the other: the second statement sees what the first to come has added.
    await sql`select from users where id = ${holder} for no key update`.execute(trx)
    const { rows: [row] } = await sql<ApiTokenRow>`
      insert into api_tokens as t (id, user_id, name, scopes, secret_hash, expires_at)
      select ${id}::uuid, ${holder}::uuid, ${values.name}, ${values.scopes}::text[], ${hash}::bytea, ${values.expires_at}::timestamptz
      where (select count(*) from api_tokens l where l.user_id = ${holder} and l.revoked_at is null and l.expires_at > now()) < ${most}
      returning ${sql.join(columns.map((column) => sql.ref(column)))}, host(t.last_used_ip) as last_used_ip, ${state} as state`.execute(trx)
    return row
  })
}

/**
 * Revokes a token, from the next request on wherever it comes.
 * @param whose a condition on its holder; anyone's when left out
 * @returns whose it was and its name, or undefined when there is no such token that was not revoked before
 */
export async function revokeApiToken (db: Db, { id, by, holder }: { id: string, by: string, holder?: string }): Promise<{ user_id: string, name: string } | undefined> {
  const mine: Expression<SqlBool> = holder === undefined ? sql<SqlBool>`true` : sql<SqlBool>`user_id = ${holder}::uuid`
  const { rows: [row] } = await sql<{ user_id: string, name: string }>`
    update api_tokens set revoked_at = clock_timestamp(), revoked_by = ${by}::uuid where id = ${id} and revoked_at is null and ${mine} returning user_id, name`.execute(db)
  return row
}

/** What the roles of a person in projects allow them, in some project at least. */
export async function listHeldInProjects (db: Db, userId: string): Promise<string[]> {
  const { rows } = await sql<{ permission_code: string }>`select distinct permission_code from (${allowedInProjects(userId)}) held`.execute(db)
  return rows.map(({ permission_code: code }) => code)
}
