import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Report } from 'c8'

/** Lines of source, and how many of them ran. */
export interface Coverage { lines: number, covered: number, percent: number }

/** What was compiled, with its source maps; what the processes that ran it collected (collect.ts); and where the report goes. */
export interface CoverageFolders { compiled: string, collected: string, written: string }

/** What all processes together ran. */
export async function coverageOf ({ compiled, collected, written }: CoverageFolders): Promise<Coverage> {
  await new Report({ reporter: ['json-summary'], tempDirectory: collected, reportsDirectory: written, excludeNodeModules: true, resolve: compiled }).run()
  const summary = JSON.parse(await readFile(join(written, 'coverage-summary.json'), 'utf8')) as { total: { lines: { total: number, covered: number } } }
  const { total, covered } = summary.total.lines
  return { lines: total, covered, percent: total === 0 ? 0 : 100 * covered / total }
}
