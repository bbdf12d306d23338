// Runs the command line: from its sources where they are being worked on, else from the build, as in an image.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const { resolve } = createRequire(import.meta.url)
const source = new URL('../cli.ts', import.meta.url)
const build = new URL('../dist/cli.js', import.meta.url)

function hasTsx () {
  try {
    return resolve('tsx') !== ''
  } catch {
    return false
  }
}

if (existsSync(source) && hasTsx()) {
  const { register } = await import('tsx/esm/api')
  register()
  await import(source.href)
} else {
  await import(build.href)
}
