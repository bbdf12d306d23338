import neostandard, { resolveIgnoresFromGitignore } from 'neostandard'

export default [
  { ignores: ['plugins/database/*.generated.ts'] },
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    rules: {
      'no-console': 'error',
      // A TypeBox schema and the type derived from it share a name; tsc knows them apart.
      '@typescript-eslint/no-redeclare': 'off'
    }
  },
  // A command line talks to a terminal; a service logs.
  { files: ['commands/**', 'scripts/**', 'bench/**', 'test/run.ts', 'server.ts', 'cli.ts'], rules: { 'no-console': 'off' } }
]
