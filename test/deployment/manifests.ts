import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'

/** An object of Kubernetes' API, as YAML has it: what its fields are, schemaProblems says. */
export type Manifest = { apiVersion: string, kind: string, metadata: { name: string } } & Record<string, any>

const root = path.join(import.meta.dirname, '..', '..')

/** The objects of every YAML file below a folder, by file; duplicate keys and other errors of YAML throw. */
export async function readManifests (folder: string): Promise<Record<string, Manifest>> {
  const manifests: Record<string, Manifest> = {}
  for (const file of (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.yaml')).sort()) {
    for (const document of parseAllDocuments(await readFile(path.join(folder, file), 'utf8'))) {
      if (document.errors[0] !== undefined) throw new Error(`${file}: ${document.errors[0].message}`)
      if (manifests[file] !== undefined) throw new Error(`${file}: one object for each file`)
      manifests[file] = document.toJS() as Manifest
    }
  }
  return manifests
}

/** The quantities of Kubernetes: 250m, 768Mi. */
const quantity = /^\d+(\.\d+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/

/** What the schema has as texts, and the API refuses unless it is one of these: `type` depends on where it is. */
const choices: Record<string, string[]> = {
  imagePullPolicy: ['Always', 'IfNotPresent', 'Never'],
  pathType: ['Exact', 'Prefix', 'ImplementationSpecific'],
  protocol: ['TCP', 'UDP', 'SCTP'],
  restartPolicy: ['Always', 'OnFailure', 'Never'],
  'seccompProfile.type': ['RuntimeDefault', 'Localhost', 'Unconfined'],
  'strategy.type': ['RollingUpdate', 'Recreate'],
  'target.type': ['Utilization', 'Value', 'AverageValue'],
  unhealthyPodEvictionPolicy: ['IfHealthyBudget', 'AlwaysAllow'],
  whenUnsatisfiable: ['DoNotSchedule', 'ScheduleAnyway']
}

function valueProblems (value: unknown, where: string[]): string[] {
  if (value !== null && typeof value === 'object') return Object.entries(value).flatMap(([key, inner]) => valueProblems(inner, [...where, key]))
  const [before = '', last = ''] = where.slice(-2)
  const allowed = choices[`${before}.${last}`] ?? choices[last]
  const isQuantity = ['requests', 'limits'].includes(before) || last === 'sizeLimit'
  return [
    ...allowed !== undefined && !allowed.includes(String(value)) ? [`${where.join('.')} must be one of ${allowed.join(', ')}`] : [],
    ...isQuantity && !quantity.test(String(value)) ? [`${where.join('.')} must be a quantity, not ${value}`] : []
  ]
}

/**
 * What Kubernetes' API would refuse: unknown and missing fields and wrong types, which TypeScript tells by `kubernetes-types`,
 * the types that are made from the API's own OpenAPI document; and values that are not among those that the API knows.
 */
export function schemaProblems (manifests: Record<string, Manifest>): string[] {
  const sources = new Map(Object.entries(manifests).map(([file, manifest]) => {
    const [version = '', group = 'core'] = manifest.apiVersion.split('/').reverse()
    const text = `import type { ${manifest.kind} } from 'kubernetes-types/${group.replace('.k8s.io', '')}/${version}'\nexport const manifest: ${manifest.kind} = ${JSON.stringify(manifest, null, 1)}\n`
    return [path.join(root, `${file}.ts`), text] as const
  }))
  const options: ts.CompilerOptions = { strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ['lib.es5.d.ts'], module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler }
  const host = ts.createCompilerHost(options)
  const { readFile: readFromDisk, fileExists } = host
  host.readFile = (file) => sources.get(file) ?? readFromDisk(file)
  host.fileExists = (file) => sources.has(file) || fileExists(file)
  host.getSourceFile = (file, version) => {
    const text = host.readFile(file)
    return text === undefined ? undefined : ts.createSourceFile(file, text, version)
  }
  const diagnostics = ts.getPreEmitDiagnostics(ts.createProgram([...sources.keys()], options, host))
  return [
    ...diagnostics.map(({ file, messageText }) => `${path.basename(file?.fileName ?? '', '.ts')}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`),
    ...Object.entries(manifests).flatMap(([file, manifest]) => valueProblems(manifest, []).map((problem) => `${path.basename(file)}: ${problem}`))
  ]
}
