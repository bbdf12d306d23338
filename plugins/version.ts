import { readFile } from 'node:fs/promises'
import path from 'node:path'
import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import { Type } from 'typebox'

const Version = Type.Object({
  name: Type.String(),
  version: Type.String(),
  commit: Type.Union([Type.String(), Type.Null()]),
  built_at: Type.Union([Type.String(), Type.Null()]),
  node: Type.String(),
  schema: Type.Union([Type.String(), Type.Null()])
})

/** What the build wrote beside the code: absent when it runs from source. */
interface Build { commit: string | null, built_at: string | null }

async function readJson<T> (...segments: string[]): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path.join(import.meta.dirname, ...segments), 'utf8'))
  } catch {
    return undefined
  }
}

/** `/version` and `eden_build_info`: which release runs; the former also on which Node, over which schema. */
export default fp(async function version (app) {
  // From source package.json is one folder up, from dist two.
  const { name, version } = await readJson<{ name: string, version: string }>('..', 'package.json') ??
    await readJson<{ name: string, version: string }>('..', '..', 'package.json') ?? { name: 'eden-erp', version: 'unknown' }
  const build = await readJson<Build>('..', 'build.json')
  new Gauge({ name: 'eden_build_info', help: '1; its labels say which release runs', labelNames: ['version', 'commit'], registers: [app.registry] })
    .set({ version, commit: build?.commit ?? 'unknown' }, 1)
  app.get('/version', {
    config: { probe: true },
    schema: { operationId: 'getVersion', summary: 'Which release runs', tags: ['operations'], response: { 200: Version } }
  }, async () => ({
    name,
    version,
    commit: build?.commit ?? null,
    built_at: build?.built_at ?? null,
    node: process.version,
    schema: await app.schemaVersion() // null when the database is away: which release runs is worth knowing most then
  }))
}, { name: 'version', dependencies: ['database-state', 'metrics', 'auth'] })
