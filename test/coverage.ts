import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Report } from 'c8'

/** Lines of source, and how many of them ran. */
export interface Coverage { lines: number, covered: number, percent: number }

/**
 * What the processes that wrote their coverage into `collected` ran, together; `written` gets the report.
 * tsx gives its source maps without the source, as null: the report would take that for a source of one line, which always ran.
 */
export async function coverageOf (collected: string, written: string): Promise<Coverage> {
  for (const name of await readdir(collected)) {
    const file = join(collected, name)
    const process = JSON.parse(await readFile(file, 'utf8')) as { 'source-map-cache'?: Record<string, { data?: { sourcesContent?: unknown } }> }
    for (const { data } of Object.values(process['source-map-cache'] ?? {})) delete data?.sourcesContent
    await writeFile(file, JSON.stringify(process))
  }
  await new Report({ reporter: ['json-summary'], tempDirectory: collected, reportsDirectory: written, excludeNodeModules: true }).run()
  const summary = JSON.parse(await readFile(join(written, 'coverage-summary.json'), 'utf8')) as { total: { lines: { total: number, covered: number } } }
  const { total, covered } = summary.total.lines
  return { lines: total, covered, percent: total === 0 ? 0 : 100 * covered / total }
}
