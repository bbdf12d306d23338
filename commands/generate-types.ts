import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { generate, PostgresDialect } from 'kysely-codegen'
import { withMigrationConnection } from '../plugins/database/migrator.js'
import { readSchema } from '../plugins/database/schema.js'

const folder = path.join(import.meta.dirname, '..', 'plugins', 'database')

/** Where the generated types live in the source tree. */
export const typesFile = path.join(folder, 'types.generated.ts')

/** Where the generated schema lives beside them: what the health check and `db:introspect` hold a database to. */
export const schemaFile = path.join(folder, 'schema.generated.ts')

/**
 * Reads a migrated database and returns the Kysely types of its tables, as TypeScript source. The types follow the
 * parsers in `plugins/database/client.ts`: timestamps are RFC 3339 strings, 64-bit integers and numerics are numbers.
 */
export function generateTypes (connectionString: string): Promise<string> {
  return withMigrationConnection(connectionString, (db) => generate({
    // kysely-codegen is CommonJS, and sees the types of Kysely's other build: the object is the same.
    db: db as never,
    dialect: new PostgresDialect({ dateParser: 'string', numericParser: 'number' }),
    excludePattern: '(kysely_*|graphile_worker.*)',
    typeMapping: { timestamptz: 'string', int8: 'number', numeric: 'number', tsvector: 'string' },
    print: false,
    outFile: null
  }))
}

/** Reads a migrated database and returns its schema as TypeScript source: the same text on every version of PostgreSQL. */
export async function generateSchema (connectionString: string): Promise<string> {
  const schema = await withMigrationConnection(connectionString, readSchema)
  return `/**
 * Written by \`npm run db:types\` from the migrated database. Please do not edit it.
 */
import type { DatabaseSchema } from './schema.js'

/** The schema that the migrations make. */
export const expectedSchema: DatabaseSchema = ${JSON.stringify(schema, null, 2)}
`
}

/** `npm run db:types`: writes both files after a migration has changed the schema. */
export async function writeTypes (connectionString: string): Promise<void> {
  for (const [file, generate] of [[typesFile, generateTypes], [schemaFile, generateSchema]] as const) {
    await writeFile(file, await generate(connectionString))
    console.log(`wrote ${path.relative(process.cwd(), file)}`)
  }
}
