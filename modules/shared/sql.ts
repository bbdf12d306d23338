import { sql, type Expression, type SqlBool } from 'kysely'
import { PLAN_EACH_TIME } from '../../plugins/database/client.js'

/** Put before a condition of which some values match half of a table and others nothing. */
export const planEachTime = sql.raw(PLAN_EACH_TIME)

/** A list of one is an equality, which an index can also sort by; of more, a set. */
export const isAny = (column: string, type: string, values: readonly string[]): Expression<SqlBool> => values.length === 1
  ? sql<SqlBool>`${sql.ref(column)} = ${values[0]}::${sql.raw(type)}`
  : sql<SqlBool>`${sql.ref(column)} = any(${values}::${sql.raw(type)}[])`
