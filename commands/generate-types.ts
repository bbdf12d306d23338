import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { generate, PostgresDialect } from 'kysely-codegen'
import { withMigrationConnection } from '../plugins/database/migrator.js'

/** Where the generated types live in the source tree. */
export const typesFile = path.join(import.meta.dirname, '..', 'plugins', 'database', 'types.generated.ts')

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

/** `npm run db:types`: writes the types after a migration has changed the schema. */
export async function writeTypes (connectionString: string): Promise<void> {
  await writeFile(typesFile, await generateTypes(connectionString))
  console.log(`wrote ${path.relative(process.cwd(), typesFile)}`)
}
