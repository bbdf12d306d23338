import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { ConfigSchema, describeAllowed } from '../plugins/config.js'

const root = path.join(import.meta.dirname, '..')

const variables = Object.entries(ConfigSchema.properties).map(([name, schema]) => {
  const { default: fallback, description } = schema as { default?: unknown, description?: string }
  return { name, fallback: fallback === undefined ? '' : String(fallback), description, allowed: describeAllowed(schema) }
})

/** `.env.example`: every variable with what it is for, commented out at its default. */
export function envExample (): string {
  const blocks = variables.map(({ name, fallback, description, allowed }) => `# ${description}; ${allowed}\n# ${name}=${fallback}\n`)
  return ['# Copy to .env and uncomment what you change. What the environment sets already wins over this file.\n', ...blocks].join('\n')
}

/** `docs/configuration.md`: the same as a table. */
export function configurationTable (): string {
  const rows = variables.map(({ name, fallback, description, allowed }) => `| \`${name}\` | ${allowed} | ${fallback === '' ? '' : `\`${fallback}\``} | ${description} |`)
  return [
    '# Configuration',
    '',
    'The environment of the process, and below it a `.env` in its working directory. A wrong value stops the start with one',
    'line for each variable. This page and `.env.example` are written by `npm run docs:config` from `plugins/config.ts`.',
    '',
    '| variable | allowed | default | what for |',
    '| --- | --- | --- | --- |',
    ...rows,
    ''
  ].join('\n')
}

/** `npm run docs:config`: writes both after the schema has changed. */
export async function writeConfigDocs (): Promise<void> {
  await writeFile(path.join(root, '.env.example'), envExample())
  await writeFile(path.join(root, 'docs', 'configuration.md'), configurationTable())
  console.log('wrote .env.example and docs/configuration.md')
}
