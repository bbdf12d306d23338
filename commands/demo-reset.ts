import { rm } from 'node:fs/promises'
import path from 'node:path'
import { resetEmbeddedDatabase } from '../embedded/index.js'

/**
 * `npm run demo:reset`: removes the embedded database and the files beside it, so that the next `npm start` makes the demo company anew.
 * @throws DataFolderInUse while the service runs
 */
export async function demoReset (dataDir: string, print: (line: string) => void): Promise<void> {
  const removed = await resetEmbeddedDatabase({ dataDir, log: print })
  await rm(path.join(dataDir, 'files'), { recursive: true, force: true }) // a folder that FILES_DIR names may be others' too
  print(removed
    ? `the database in ${dataDir} is gone; the next npm start makes a new one with the demo company`
    : `there is no database in ${dataDir}; npm start makes one with the demo company`)
}
