import { CompiledQuery } from 'kysely'
import type { Execute } from '../../plugins/database/statements.js'

export interface Relation { id: number, name: string, kind: string, file: number | null, partition: boolean }
export interface Column { id: string, relation: number, name: string, type: string, required: boolean, filled: boolean }
export interface Constraint { id: number, relation: number, name: string, kind: string, validated: boolean, index: number, definition: string }
export interface Index { id: number, relation: number, name: string, valid: boolean }
export interface Named { id: string, name: string }

/** What of a schema a running release lives with, at one moment, by the ids that PostgreSQL gives, which outlive a rename. */
export interface Catalogue {
  /** Tables, views and sequences; `file` changes when a table is rewritten. */
  relations: Relation[]
  /** `filled`: a row that does not name it gets a value. */
  columns: Column[]
  /** `kind` as in pg_constraint.contype; a partition's are those of its table. */
  constraints: Constraint[]
  indexes: Index[]
  triggers: Named[]
  functions: Named[]
  labels: Named[]
}

/** A lock that the session holds on a relation. */
export interface Lock { relation: number, mode: string }

const everything = `
  with here as (select 'public'::regnamespace as schema)
  select json_build_object(
    'relations', (select coalesce(json_agg(json_build_object('id', oid::int8, 'name', relname, 'kind', relkind, 'file', pg_relation_filenode(oid)::int8, 'partition', relispartition)), '[]')
      from pg_class, here where relnamespace = schema and relkind in ('r', 'p', 'v', 'm', 'S') and relname not like 'kysely%'),
    'columns', (select coalesce(json_agg(json_build_object('id', attrelid || '.' || attnum, 'relation', attrelid::int8, 'name', attname, 'type', format_type(atttypid, atttypmod), 'required', attnotnull, 'filled', atthasdef or attidentity <> '')), '[]')
      from pg_attribute join pg_class c on c.oid = attrelid, here where relnamespace = schema and relkind in ('r', 'p', 'v', 'm') and not relispartition and attnum > 0 and not attisdropped),
    'constraints', (select coalesce(json_agg(json_build_object('id', o.oid::int8, 'relation', conrelid::int8, 'name', conname, 'kind', contype, 'validated', convalidated, 'index', conindid::int8, 'definition', pg_get_constraintdef(o.oid))), '[]')
      from pg_constraint o join pg_class c on c.oid = conrelid, here where connamespace = schema and contype in ('c', 'f', 'u', 'p', 'x') and not relispartition),
    'indexes', (select coalesce(json_agg(json_build_object('id', indexrelid::int8, 'relation', indrelid::int8, 'name', c.relname, 'valid', indisvalid)), '[]')
      from pg_index join pg_class c on c.oid = indexrelid, here where relnamespace = schema and not c.relispartition),
    'triggers', (select coalesce(json_agg(json_build_object('id', g.oid::text, 'name', tgname || ' on ' || relname)), '[]')
      from pg_trigger g join pg_class c on c.oid = tgrelid, here where relnamespace = schema and not tgisinternal and tgparentid = 0),
    'functions', (select coalesce(json_agg(json_build_object('id', p.oid::text, 'name', p.oid::regprocedure::text)), '[]') from pg_proc p, here where pronamespace = schema),
    'labels', (select coalesce(json_agg(json_build_object('id', e.oid::text, 'name', typname || ' ' || quote_literal(enumlabel))), '[]') from pg_enum e join pg_type y on y.oid = enumtypid, here where typnamespace = schema)
  ) as catalogue`

/** Reads the schema as the session sees it, with what it has not committed yet. */
export async function readCatalogue (execute: Execute): Promise<Catalogue> {
  return (await execute(CompiledQuery.raw(everything))).rows[0].catalogue
}

/** The locks on relations that the session's transaction holds now. */
export async function readLocks (execute: Execute): Promise<Lock[]> {
  return (await execute(CompiledQuery.raw("select relation::int8::float8 as relation, mode from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and granted"))).rows
}
