import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'

const root = path.join(import.meta.dirname, '..')

await t.test('docs/errors.md has every code that the service can answer with, and no other', async (t) => {
  const files = ['plugins', 'modules'].map(async (folder) => (await readdir(path.join(root, folder), { recursive: true })).filter((file) => file.endsWith('.ts')).map((file) => path.join(root, folder, file)))
  const sources = await Promise.all((await Promise.all(files)).flat().map((file) => readFile(file, 'utf8')))
  const codes = new Set(sources.flatMap((source) => [...source.matchAll(/'(EDEN_[A-Z_]+)'/g)].map(([, code]) => code as string)))
  codes.delete('EDEN_')
  const documented = [...(await readFile(path.join(root, 'docs', 'errors.md'), 'utf8')).matchAll(/^\| `(EDEN_[A-Z_]+)`/gm)].map(([, code]) => code as string)
  t.same([...codes].sort(), documented.sort())
})
