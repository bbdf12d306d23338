import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { stringify } from 'yaml'
import { findProgram, read, type Rules } from '../monitoring/prometheus.js'

/** An alert as Prometheus tells it; `pending` while its `for` has not passed. */
export interface PrometheusAlert { labels: Record<string, string>, state: 'pending' | 'firing' }
export interface Prometheus { alerts: () => Promise<PrometheusAlert[]>, end: () => Promise<void> }

interface Configuration { rule_files: string[], scrape_configs: { static_configs: { targets: string[] }[], authorization: { credentials_file: string } }[] }

const unit: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The same rules in a hurry: every range and every `for` is so many times shorter. Thresholds stay. */
export function hurry (rules: Rules, times: number): Rules {
  const shorter = (duration: string) => `${Math.round(Number(duration.slice(0, -1)) * (unit[duration.slice(-1)] as number) / times)}ms`
  return {
    groups: rules.groups.map((group) => ({
      ...group,
      rules: group.rules.map((rule) => ({
        ...rule,
        expr: rule.expr.replace(/\[(\d+[smhd])\]/g, (_all, range: string) => `[${shorter(range)}]`),
        ...rule.for === undefined ? {} : { for: shorter(rule.for) }
      }))
    }))
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/**
 * A Prometheus of one's own, with the project's example of a configuration and its alerts, looking every second.
 * @param address the instance that it scrapes
 * @param token what it shows for that
 * @param times how many times faster than written alerts fire and clear
 */
export async function startPrometheus ({ address, token, times }: { address: string, token: string, times: number }): Promise<Prometheus> {
  const folder = await mkdtemp(path.join(tmpdir(), 'eden-prometheus-'))
  const { rule_files: ruleFiles, scrape_configs: [job] } = await read<Configuration>('prometheus.yml')
  const configuration = {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ruleFiles,
    scrape_configs: [{ ...job, static_configs: [{ targets: [address] }] }]
  }
  await writeFile(path.join(folder, 'prometheus.yml'), stringify(configuration))
  await writeFile(path.join(folder, 'alerts.yml'), stringify(hurry(await read<Rules>('alerts.yml'), times)))
  await writeFile(path.join(folder, job?.authorization.credentials_file ?? ''), token, { mode: 0o600 })

  const base = `http://127.0.0.1:${await freePort()}`
  const child = spawn(findProgram('prometheus') as string, [
    `--config.file=${path.join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${path.join(folder, 'data')}`,
    `--web.listen-address=${new URL(base).host}`, '--log.level=warn'
  ], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => { said += chunk })
  const ended = once(child, 'close')
  const end = async () => {
    child.kill('SIGKILL')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
  const isReady = () => fetch(`${base}/-/ready`).then(({ ok }) => ok, () => false)
  while (!await isReady()) {
    if (child.exitCode !== null) {
      await end()
      throw new Error(`Prometheus ended: ${said}`)
    }
    await pause(100)
  }
  return {
    end,
    async alerts () {
      const { data } = await (await fetch(`${base}/api/v1/alerts`)).json() as { data: { alerts: PrometheusAlert[] } }
      return data.alerts
    }
  }
}
