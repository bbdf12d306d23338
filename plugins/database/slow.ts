import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { CompiledQuery } from 'kysely'
import type pg from 'pg'
import { currentRequest } from '../request-context.js'
import { createPlanClient } from './client.js'
import { causeOf } from './causes.js'

/** One statement's plan is worth knowing again after this long: its tables have grown. */
const PLAN_AGAIN_MS = 600_000
/** Statements whose plans are remembered as told; beyond that, whichever is oldest may be told again. */
const MOST_REMEMBERED = 1000

const verbs = { insert: 'insert into', update: 'update', delete: 'delete from', select: 'from' } as const

/**
 * The table that a statement is about: what it changes, else what it reads first; names that the statement gives itself do not
 * count.
 * @param sql a text with placeholders
 */
function mainTable (sql: string, operation: string): string {
  const own = new Set([...sql.matchAll(/"?(\w+)"?\s*(?:\([^()]*\)\s*)?as\s+(?:not\s+)?(?:materialized\s+)?\(/gi)].map(([, name]) => name))
  const first = verbs[operation as keyof typeof verbs] ?? 'insert into|update|delete from|from'
  for (const keywords of [first, 'from|join|into|update']) {
    for (const [, table] of sql.matchAll(new RegExp(`\\b(?:${keywords})\\s+(?:only\\s+)?"?(?:\\w+"?\\."?)?(\\w+)"?`, 'gi'))) {
      if (table !== undefined && !own.has(table) && !/^(select|lateral|unnest|set|of|jsonb?_\w+|generate_series)$/i.test(table)) return table
    }
  }
  return 'nothing'
}

/** What `raw` SQL does first that changes something, else `select`. */
const rawOperation = (sql: string) => /\b(insert|update|delete)\b(?!\s+of\b)(?=\s+(?:into|from|"?\w+"?\s+(?:as\s+\w+\s+|\w+\s+)?set)\b)/i.exec(sql)?.[1]?.toLowerCase() ?? /^\s*(\w+)/.exec(sql)?.[1]?.toLowerCase().replace('with', 'select') ?? 'raw'

/**
 * A name that stays the same for as long as the text does: what it does, to which table, and a short hash of the text, such as
 * `select tasks 1f0c9a3b`. It holds no data, because the text holds none.
 */
export function statementName (sql: string, operation: string): string {
  const what = operation === 'raw' ? rawOperation(sql) : operation
  return `${what} ${mainTable(sql, what)} ${createHash('sha256').update(sql).digest('hex').slice(0, 8)}`
}

/** The plan that PostgreSQL would choose without knowing the values, in the lines that EXPLAIN gives. Nothing is run. */
async function genericPlan (client: pg.Client, sql: string): Promise<string[]> {
  const lines = (rows: Record<string, string>[]) => rows.map((row) => row['QUERY PLAN'] ?? '')
  const { rows: [server] } = await client.query<{ version: string }>("select current_setting('server_version_num') as version")
  if (Number(server?.version) >= 160000) return lines((await client.query(`explain (generic_plan) ${sql}`)).rows)
  const highest = Math.max(0, ...[...sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number)))
  const values = highest === 0 ? '' : `(${Array.from({ length: highest }, () => 'null').join(', ')})`
  // One transaction, and nothing of it is left: a pooler's session is someone else's afterwards.
  await client.query(`begin read only; set local plan_cache_mode = force_generic_plan; prepare eden_plan as ${sql}`)
  try {
    return lines((await client.query(`explain execute eden_plan${values}`)).rows)
  } finally {
    await client.query('rollback; deallocate eden_plan').catch(() => {})
  }
}

/**
 * Logs statements that took longer than DB_SLOW_QUERY_MS: name, duration, and for which request, never values. With
 * DB_SLOW_QUERY_PLANS also the generic plan, on a connection of its own: one at a time, each at most once in ten minutes.
 */
export function watchSlowStatements (app: FastifyInstance, { url }: { url: string }): (query: CompiledQuery, timing: { operation: string, milliseconds: number, error?: unknown }) => void {
  const told = new Map<string, number>()
  let planning: Promise<void> | undefined

  async function tellPlan (name: string, sql: string): Promise<void> {
    const client = createPlanClient(url, app.config)
    client.on('error', () => {}) // the query tells
    try {
      await client.connect()
      app.log.warn({ name, plan: await genericPlan(client, sql) }, 'plan of a slow statement')
    } catch (error) {
      const { code } = error as { code?: string }
      app.log.info({ name, cause: causeOf(error).code, sqlstate: code }, 'no plan of a slow statement')
    } finally {
      await client.end().catch(() => {})
    }
  }
  function wantsPlan (name: string): boolean {
    const now = Date.now()
    if (!app.config.DB_SLOW_QUERY_PLANS || planning !== undefined || now - (told.get(name) ?? -Infinity) < PLAN_AGAIN_MS) return false
    if (told.size >= MOST_REMEMBERED) told.delete(told.keys().next().value as string)
    told.delete(name)
    told.set(name, now)
    return true
  }
  app.addHook('onClose', () => planning)

  return ({ sql }, { operation, milliseconds, error }) => {
    const name = statementName(sql, operation)
    const request = currentRequest()
    const log = request?.log ?? app.log
    log.warn({ name, duration_ms: Math.round(milliseconds * 1000) / 1000, failed: error !== undefined, route: request?.routeOptions.url, sql }, 'slow statement')
    if (/^\s*(select|insert|update|delete|with)\b/i.test(sql) && wantsPlan(name)) planning = tellPlan(name, sql).finally(() => { planning = undefined })
  }
}
