import { resetEmbeddedDatabase } from '../embedded/index.js'

/**
 * `npm run demo:reset`: removes the embedded database, so that the next `npm start` makes the demo company anew.
 * @throws DataFolderInUse while the service runs
 */
export async function demoReset (dataDir: string, print: (line: string) => void): Promise<void> {
  const removed = await resetEmbeddedDatabase({ dataDir, log: print })
  print(removed
    ? `the database in ${dataDir} is gone; the next npm start makes a new one with the demo company`
    : `there is no database in ${dataDir}; npm start makes one with the demo company`)
}
