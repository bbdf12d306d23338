import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'

/** The migrator imports the migrations beside it, which are compiled as it is. */
const staysWhereItIs = join('plugins', 'database', 'migrator.ts')

/**
 * Compiles the TypeScript below `root` into the folder `to`, in the same places: no process of a test then has to, nor has Node
 * to ask another thread about each module, which costs more than to run it. For the code nothing else changes: `import.meta.dirname`
 * is where its source is.
 */
export async function compile (root: string, to: string): Promise<void> {
  const outside = (await readdir(root, { withFileTypes: true })).filter(({ name }) => !/^(\.|node_modules$|dist$)/.test(name))
  const entryPoints = (await Promise.all(outside.map(async (entry) => entry.isDirectory()
    ? (await readdir(join(root, entry.name), { recursive: true })).map((name) => join(entry.name, name))
    : [entry.name]))).flat().filter((name) => name.endsWith('.ts'))
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir: to,
    outbase: root,
    format: 'esm',
    target: 'node20',
    sourcemap: true,
    logLevel: 'warning',
    plugins: [{
      name: 'dirname',
      setup (build) {
        build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
          const source = await readFile(path, 'utf8')
          const isMoved = !path.endsWith(staysWhereItIs) && source.includes('import.meta.dirname')
          return { contents: isMoved ? `import.meta.dirname = ${JSON.stringify(dirname(path))}; ${source}` : source, loader: 'ts' }
        })
      }
    }]
  })
}
