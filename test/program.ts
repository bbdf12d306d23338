import { fileURLToPath } from 'node:url'

/** What Node is given to run server.ts, as this run compiled it. */
export const server = ['--enable-source-maps', fileURLToPath(import.meta.resolve('../server.js'))]
