import { execFile } from 'node:child_process'
import { chown, cp, mkdir, readFile, rename, stat, symlink } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import dockerignore from '@balena/dockerignore'
import { DockerfileParser, type Copy, type Instruction, type PropertyInstruction } from 'dockerfile-ast'

const run = promisify(execFile)

/** What a Dockerfile makes, as a folder of this machine: no container, and so no other Node than the one that runs here. */
export interface Image {
  /** The folder that stands for `/`. */
  root: string
  /** Where its commands run, in that folder. */
  workdir: string
  /** What ENV sets; a path of the image is a path in the folder. */
  environment: Record<string, string>
  user: string
  command: string[]
  healthCheck: string[]
  volumes: string[]
  /** The bases that it is made from, as FROM names them. */
  bases: string[]
}

type Stage = Omit<Image, 'bases'> & { base: string, name: string, variables: Record<string, string> }

/** Whether a file of the build context stays out, by the rules of a .dockerignore. */
export async function readDockerignore (context: string): Promise<(file: string) => boolean> {
  const rules = dockerignore.default().add(await readFile(path.join(context, '.dockerignore'), 'utf8'))
  return (file) => rules.ignores(file)
}

/** The step that installs what compiles. `npm ci` made this checkout's own packages from the same lock file: they stand in. */
const INSTALL_ALL = 'npm ci --omit=optional --ignore-scripts'

/**
 * Follows the instructions of a Dockerfile in a clean folder: COPY copies what .dockerignore lets through, RUN is run by `sh`;
 * only INSTALL_ALL is not done again, which takes longer than all else together and leaves nothing in the image.
 * @throws for an instruction that it does not know, and when a step fails, with the output of that
 */
export async function buildImage (context: string, folder: string, buildArguments: Record<string, string>): Promise<Image> {
  const isIgnored = await readDockerignore(context)
  const stages: Stage[] = []
  for (const instruction of DockerfileParser.parse(await readFile(path.join(context, 'Dockerfile'), 'utf8')).getInstructions()) {
    const keyword = instruction.getKeyword()
    if (keyword === 'FROM') {
      stages.push(beginStage(instruction, path.join(folder, `stage-${stages.length}`)))
      continue
    }
    const stage = stages.at(-1)
    const step = steps[keyword]
    if (stage === undefined || step === undefined) throw new Error(`${keyword} is not known here: teach it to test/deployment/image.ts`)
    await step(instruction, stage, { context, isIgnored, stages, buildArguments })
  }
  const last = stages.at(-1)
  if (last === undefined) throw new Error('the Dockerfile has no FROM')
  return { ...last, bases: stages.map(({ base }) => base) }
}

interface Build { context: string, isIgnored: (file: string) => boolean, stages: Stage[], buildArguments: Record<string, string> }
type Step = (instruction: Instruction, stage: Stage, build: Build) => Promise<void> | void

const raw = (instruction: Instruction) => instruction.getArgumentsContent() ?? ''
const words = (instruction: Instruction) => instruction.getArguments().map((argument) => argument.getValue())
const properties = (instruction: Instruction) => (instruction as PropertyInstruction).getProperties().map((property) => [property.getName(), property.getValue() ?? ''] as const)
/** The exec form alone: a shell form would put a shell between a signal and the service. */
const execForm = (instruction: Instruction) => JSON.parse(raw(instruction).slice(raw(instruction).indexOf('['))) as string[]

const steps: Record<string, Step> = {
  WORKDIR: async (instruction, stage) => {
    stage.workdir = path.join(stage.root, raw(instruction))
    await mkdir(stage.workdir, { recursive: true })
  },
  ARG: (instruction, stage, { buildArguments }) => {
    for (const [name, fallback] of properties(instruction)) stage.variables[name] = buildArguments[name] ?? fallback
  },
  ENV: (instruction, stage) => {
    for (const [name, value] of properties(instruction)) stage.environment[name] = value.startsWith('/') ? path.join(stage.root, value) : value
  },
  COPY: copy,
  RUN: async (instruction, { workdir, environment, variables }, { context }) => {
    if (raw(instruction) === INSTALL_ALL) return symlink(path.join(context, 'node_modules'), path.join(workdir, 'node_modules'))
    await run('sh', ['-c', raw(instruction)], { cwd: workdir, env: { ...ownEnvironment(), ...variables, ...environment }, maxBuffer: 1 << 26 }).catch((error) => {
      throw new Error(`RUN ${raw(instruction)}\n${error.stdout}${error.stderr}`)
    })
  },
  LABEL: () => {},
  USER: (instruction, stage) => { stage.user = raw(instruction) },
  VOLUME: (instruction, stage) => { stage.volumes.push(...words(instruction)) },
  EXPOSE: () => {},
  HEALTHCHECK: (instruction, stage) => { stage.healthCheck = execForm(instruction) },
  CMD: (instruction, stage) => { stage.command = execForm(instruction) }
}

function beginStage (instruction: Instruction, root: string): Stage {
  const [base = '', , name = ''] = words(instruction)
  return { base, name, root, workdir: root, environment: {}, variables: {}, user: 'root', command: [], healthCheck: [], volumes: [] }
}

async function copy (instruction: Instruction, stage: Stage, { context, isIgnored, stages }: Build): Promise<void> {
  const flags = Object.fromEntries((instruction as Copy).getFlags().map((flag) => [flag.getName(), flag.getValue() ?? '']))
  const from = stages.find(({ name }) => name === flags.from)
  if (flags.from !== undefined && from === undefined) throw new Error(`COPY --from=${flags.from}: no such stage`)
  const sources = words(instruction)
  const given = sources.pop() ?? ''
  const target = given.startsWith('/') ? path.join(stage.root, given) : path.join(stage.workdir, given)
  for (const source of sources) {
    const origin = path.join(from?.root ?? context, source)
    const isFolder = (await stat(origin)).isDirectory()
    // What is in a folder is copied, not the folder; a file goes into a target that ends in a slash.
    const destination = !isFolder && given.endsWith('/') ? path.join(target, path.basename(source)) : target
    const isLeftOut = (file: string) => file !== path.normalize(context) && isIgnored(path.relative(context, file))
    if (from === undefined && isLeftOut(origin)) throw new Error(`COPY ${source}: .dockerignore leaves it out`)
    if (from === undefined) await cp(origin, destination, { recursive: true, filter: (file) => !isLeftOut(file) })
    // Moved, which is a matter of nothing with twenty thousand files: a stage that is copied from is not looked at again.
    else await rename(origin, destination)
    const owner = /^(\d+):(\d+)$/.exec(flags.chown ?? '')
    if (owner !== null && process.getuid?.() === 0) await chown(destination, Number(owner[1]), Number(owner[2]))
  }
}

/** What a step may know of this machine: where programs, the registry and its cache are; not that npm runs a test just now. */
function ownEnvironment (): NodeJS.ProcessEnv {
  const known = /^(HOME|npm_config_(registry|cache|userconfig|globalconfig)|(https?|no)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR))$/i
  const programs = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => !folder.includes('node_modules'))
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => known.test(name))),
    PATH: [path.dirname(process.execPath), ...programs].join(path.delimiter),
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false'
  }
}
