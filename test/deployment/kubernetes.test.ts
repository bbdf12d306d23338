import { readFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { ConfigError, ConfigSchema, parseConfig } from '../../plugins/config.js'
import { publicRoutes } from '../../plugins/public-routes.js'
import { startApp } from '../helper.js'
import { readManifests, schemaProblems, type Manifest } from './manifests.js'

const folder = path.join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes')
const files = await readManifests(folder)
const kustomizations = Object.entries(files).filter(([, { kind }]) => kind === 'Kustomization')
const manifests = Object.fromEntries(Object.entries(files).filter(([, { kind }]) => kind !== 'Kustomization'))

const of = (kind: string) => Object.values(manifests).find((manifest) => manifest.kind === kind) as Manifest
const [deployment, job, settings, secret, service, budget, autoscaler, policy, ingress] = ['Deployment', 'Job', 'ConfigMap', 'Secret', 'Service', 'PodDisruptionBudget', 'HorizontalPodAutoscaler', 'NetworkPolicy', 'Ingress'].map(of) as Manifest[]
const pods = [deployment, job].map((manifest) => manifest?.spec.template)
const server = deployment?.spec.template.spec.containers[0]
const environment: Record<string, string> = settings?.data
const clone = (manifest: unknown) => structuredClone(manifest) as any

/** A quantity of memory, in MiB. */
const mebibytes = (quantity: string) => Number(quantity.replace(/[MG]i$/, '')) * (quantity.endsWith('Gi') ? 1024 : 1)

await t.test('every manifest is what the API of Kubernetes takes', async (t) => {
  t.equal(Object.keys(manifests).length, 9)
  t.same(schemaProblems(manifests), [])
})

await t.test('the check refuses unknown and missing fields, wrong types and values, and unknown kinds', async (t) => {
  const wrong: Record<string, (broken: any) => void> = {
    'unknown field': ({ spec }) => { spec.template.spec.containers[0].readinesProbe = {} },
    'field in the wrong place': ({ spec }) => { spec.livenessProbe = spec.template.spec.containers[0].livenessProbe },
    'missing field': ({ spec }) => { delete spec.selector },
    'number instead of text': ({ spec }) => { spec.template.spec.containers[0].env = [{ name: 'PORT', value: 3000 }] },
    'text instead of number': ({ spec }) => { spec.template.spec.containers[0].ports[0].containerPort = '3000' },
    'unknown policy': ({ spec }) => { spec.template.spec.containers[0].imagePullPolicy = 'Sometimes' },
    'no quantity': ({ spec }) => { spec.template.spec.containers[0].resources.limits.memory = '768MB' },
    'unknown kind': (broken) => { broken.kind = 'Deploiment' }
  }
  // One look for all: it is TypeScript's, and takes a second each time.
  const broken = Object.fromEntries(Object.entries(wrong).map(([what, breakIt]) => {
    const manifest = clone(deployment)
    breakIt(manifest)
    return [what, manifest]
  }))
  const problems = schemaProblems(broken)
  for (const what of Object.keys(wrong)) t.ok(problems.some((problem) => problem.startsWith(`${what}: `)), `${what}: ${problems.filter((problem) => problem.startsWith(what)).join()}`)
})

await t.test('kustomize finds every file that it lists, and applies all but examples', async (t) => {
  const listed = kustomizations.flatMap(([file, { resources }]) => (resources as string[]).map((resource) => path.join(path.dirname(file), resource)))
  t.same(listed.sort(), Object.keys(manifests).filter((file) => !file.includes('example')).sort())
})

await t.test('probes ask routes that are there, want no identity, and touch what they should', async (t) => {
  const { app } = await startApp(t)
  const { startupProbe, livenessProbe, readinessProbe } = server
  for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
    t.ok(publicRoutes.has(`GET ${httpGet.path}`), httpGet.path)
    t.equal((await app.inject(httpGet.path)).statusCode, 200)
    t.ok(server.ports.some(({ name }: { name: string }) => name === httpGet.port), 'by the name of the port')
  }
  t.equal(livenessProbe.httpGet.path, '/api/health/live', 'the database must not decide whether a process lives')
  t.equal(startupProbe.httpGet.path, '/api/health/live')
  t.equal(readinessProbe.httpGet.path, '/api/health/ready')
  t.ok(readinessProbe.timeoutSeconds > 1.5, 'longer than the service takes at most to say that the database does not answer')
  t.ok(startupProbe.periodSeconds * startupProbe.failureThreshold >= 60)
})

await t.test('ports, labels and names lead to one another', async (t) => {
  const labels = deployment?.spec.template.metadata.labels
  const matches = (selector: Record<string, string>, what = labels) => Object.entries(selector).every(([name, value]) => what[name] === value)
  t.equal(String(server.ports[0].containerPort), environment.PORT)
  t.equal(service?.spec.ports[0].targetPort, server.ports[0].name)
  t.equal(policy?.spec.ingress[0].ports[0].port, server.ports[0].name)
  for (const selector of [deployment?.spec.selector.matchLabels, service?.spec.selector, budget?.spec.selector.matchLabels, ...server ? deployment?.spec.template.spec.topologySpreadConstraints.map((one: any) => one.labelSelector.matchLabels) : []]) {
    t.ok(matches(selector))
    t.notOk(matches(selector, job?.spec.template.metadata.labels), 'and not to the migrations')
  }
  for (const pod of pods) {
    t.ok(matches(policy?.spec.podSelector.matchLabels, pod.metadata.labels), 'both reach the database')
    t.same(pod.spec.containers[0].envFrom, [{ configMapRef: { name: settings?.metadata.name } }, { secretRef: { name: secret?.metadata.name } }])
  }
  t.match(autoscaler?.spec.scaleTargetRef, { apiVersion: deployment?.apiVersion, kind: 'Deployment', name: deployment?.metadata.name })
  t.match(ingress?.spec.rules[0].http.paths[0].backend.service, { name: service?.metadata.name, port: { name: service?.spec.ports[0].name } })
  t.equal(ingress?.spec.rules[0].host, ingress?.spec.tls[0].hosts[0])
  t.equal(job?.spec.template.spec.containers[0].image, server.image, 'the migrations of the same release')
})

await t.test('variables are known, and make a configuration; placeholders of secrets do not', async (t) => {
  const known = new Set([...Object.keys(ConfigSchema.properties), 'NODE_OPTIONS'])
  t.same([...Object.keys(environment), ...Object.keys(secret?.stringData)].filter((name) => !known.has(name)), [])
  const isSecret = (name: string) => (ConfigSchema.properties as Record<string, { secret?: boolean }>)[name]?.secret === true
  t.same(Object.keys(environment).filter(isSecret), [], 'no secret where anyone may read it')
  t.same(Object.keys(secret?.stringData).filter((name) => !isSecret(name)), [])

  const secrets = { DATABASE_URL: 'postgresql://db/eden', JWT_SECRET: 'x'.repeat(32), METRICS_TOKEN: 'x'.repeat(16), S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'key', SMTP_URL: 'smtps://mail.example.com' }
  t.same(Object.keys(secret?.stringData).sort(), Object.keys(secrets).sort())
  t.match(parseConfig({ ...environment, ...secrets }), { NODE_ENV: 'production', HOST: '0.0.0.0', FILES_STORAGE: 's3' })
  t.throws(() => parseConfig({ ...environment, ...secret?.stringData }), ConfigError)
  for (const name of ['DATABASE_URL', 'JWT_SECRET', 'METRICS_TOKEN', 'SMTP_URL']) {
    t.throws(() => parseConfig({ ...environment, ...secrets, [name]: secret?.stringData[name] }), { message: new RegExp(`^${name} must be`) })
  }
})

await t.test('an instance has the time to end in order, and is not asked any more before it does', async (t) => {
  const { SHUTDOWN_DELAY_MS: delay, SHUTDOWN_TIMEOUT_MS: timeout } = parseConfig({ SHUTDOWN_DELAY_MS: environment.SHUTDOWN_DELAY_MS, SHUTDOWN_TIMEOUT_MS: environment.SHUTDOWN_TIMEOUT_MS })
  const { terminationGracePeriodSeconds: grace } = deployment?.spec.template.spec
  t.ok(grace * 1000 >= delay + timeout + 10_000, `${grace} s for ${delay} and ${timeout} ms, and 10 s to close what is open`)
  t.ok(server.readinessProbe.periodSeconds * server.readinessProbe.failureThreshold * 1000 <= delay, 'it is known not to be ready before it stops serving')
  t.match(deployment?.spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } })
  t.equal(deployment?.spec.replicas, undefined, 'the autoscaler has the say')
  t.ok(autoscaler?.spec.minReplicas >= 2 && budget?.spec.maxUnavailable < autoscaler?.spec.minReplicas, 'one is left when another is drained')
})

await t.test('memory and connections add up', async (t) => {
  const heap = Number(/^--max-old-space-size=(\d+)$/.exec(environment.NODE_OPTIONS ?? '')?.[1])
  const limit = mebibytes(server.resources.limits.memory)
  const shed = Number(environment.PRESSURE_MAX_RSS_BYTES) / 1024 ** 2
  t.ok(heap <= limit * 0.75, 'a quarter and more is left for buffers and code')
  t.ok(heap < shed && shed < limit, 'work is refused before the kernel ends the process')
  t.ok(mebibytes(server.resources.requests.memory) <= limit)
  t.ok(mebibytes(job?.spec.template.spec.containers[0].resources.limits.memory) >= limit, 'the same NODE_OPTIONS hold for the migrations')
  const volumes = deployment?.spec.template.spec.volumes.map(({ emptyDir }: any) => mebibytes(emptyDir.sizeLimit))
  t.ok(volumes.reduce((sum: number, size: number) => sum + size, 0) < mebibytes(server.resources.limits['ephemeral-storage']))

  // A default PostgreSQL has 100, of which 3 are for its administrators; an instance has its pool, a LISTEN and at most 4 for the queue.
  const instances = autoscaler?.spec.maxReplicas + deployment?.spec.strategy.rollingUpdate.maxSurge
  t.ok(instances * (Number(environment.DB_POOL_MAX) + 1 + 4) <= 97)
  const body = ingress?.metadata as unknown as { annotations: Record<string, string> }
  t.equal(body.annotations['nginx.ingress.kubernetes.io/proxy-body-size'], `${parseConfig({}).ATTACHMENT_MAX_BYTES / 1024 ** 2 + 1}m`, 'files get through')
})

await t.test('nothing runs as root, writes to its image, keeps a capability, or talks to the API of Kubernetes', async (t) => {
  for (const { spec } of pods) {
    t.match(spec, { automountServiceAccountToken: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } } })
    for (const container of spec.containers) {
      t.match(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
      t.notMatch(container.image, /:latest$|^[^:]+$/, 'a version that says what runs')
    }
  }
  const dockerfile = await readFile(path.join(folder, '..', '..', 'Dockerfile'), 'utf8')
  t.match(dockerfile, `USER ${pods[0].spec.securityContext.runAsUser}:${pods[0].spec.securityContext.runAsGroup}`)
  const mounts = server.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath)
  t.same(mounts, [/^VOLUME (\S+)$/m.exec(dockerfile)?.[1], '/tmp'], 'what is written to is a volume')
  t.equal(environment.FILES_DIR, mounts[0])
})
