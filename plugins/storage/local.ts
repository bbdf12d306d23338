import { mkdir, open, rename, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import type { Store } from './store.js'

/** A name in a folder survives a power cut once the folder is written too. */
async function flushFolder (folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Files in a local folder, which must be on one file system with the files that are put there: they are renamed. */
export function localStore (root: string): Store {
  const place = (key: string) => path.join(root, key)
  return {
    async put (key, { path: source }) {
      const target = place(key)
      const folder = path.dirname(target)
      const made = await mkdir(folder, { recursive: true })
      await rename(source, target)
      await flushFolder(folder)
      if (made !== undefined) for (let above = folder; above !== path.dirname(made); above = path.dirname(above)) await flushFolder(path.dirname(above))
    },
    async read (key, bytes): Promise<Readable> {
      const handle = await open(place(key), 'r')
      return handle.createReadStream(bytes)
    },
    async remove (key) {
      await unlink(place(key)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error
      })
    },
    close () {}
  }
}
