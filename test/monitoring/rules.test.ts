import { copyFile, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { thresholds } from '../../plugins/alerts/thresholds.js'
import { check, findProgram, folder, read, withoutPrometheus, type Rules } from './prometheus.js'

interface UnitTests { tests: { alert_rule_test: { alertname: string, exp_alerts: { exp_labels: Record<string, string> }[] }[] }[] }
interface Alertmanager { route: { receiver: string, routes: { receiver: string }[] }, inhibit_rules: { source_matchers: string[], target_matchers: string[], equal: string[] }[], receivers: { name: string }[] }

const { groups } = await read<Rules>('alerts.yml')
const rules = groups.flatMap((group) => group.rules)
const table = groups.find(({ name }) => name === 'eden-erp-thresholds')?.rules ?? []

const runbook = await readFile(path.join(import.meta.dirname, '../../docs/runbook.md'), 'utf8')

await t.test('promtool accepts the rules, and their unit tests pass', { skip: withoutPrometheus }, async (t) => {
  const checked = await check('promtool', 'check', 'rules', path.join(folder, 'alerts.yml'))
  t.equal(checked.code, 0, checked.output)
  t.match(checked.output, `SUCCESS: ${rules.length} rules found`)
  const tested = await check('promtool', 'test', 'rules', path.join(folder, 'alerts.test.yml'))
  t.equal(tested.code, 0, tested.output)
})

await t.test('each alert is seen firing and seen quiet by a unit test', async (t) => {
  const looks = (await read<UnitTests>('alerts.test.yml')).tests.flatMap((test) => test.alert_rule_test)
  for (const { alert, labels } of rules) {
    const ofAlert = looks.filter(({ alertname }) => alertname === alert)
    t.ok(ofAlert.some((look) => look.exp_alerts.some(({ exp_labels: expected }) => expected.severity === labels.severity)), `${alert}, ${labels.severity}: firing`)
    t.ok(ofAlert.some((look) => look.exp_alerts.every(({ exp_labels: expected }) => expected.severity !== labels.severity)), `${alert}, ${labels.severity}: quiet`)
  }
})

await t.test('each alert says what is wrong, how badly, and what to do', async (t) => {
  for (const { alert, labels, annotations } of rules) {
    t.match(labels.severity, /^(warning|critical)$/, alert)
    t.same(Object.keys(annotations), ['summary', 'description', 'runbook'], alert)
    t.match(annotations.runbook, /^docs\/runbook\.md#[a-z0-9-]+$/, alert)
  }
})

await t.test('the thresholds are those of the service, row by row', async (t) => {
  t.equal(table.length, thresholds.length * 2)
  for (const threshold of thresholds) {
    const alert = `Eden_${threshold.name}`.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase())
    for (const severity of ['warning', 'critical'] as const) {
      const found = table.filter(({ labels }) => labels.name === threshold.name && labels.severity === severity)
      t.equal(found.length, 1, `${threshold.name}, ${severity}: one rule`)
      const [rule] = found
      t.equal(rule?.alert, alert)
      t.equal(rule?.annotations.runbook, threshold.runbook)
      // How long it is down is the threshold itself; of the others it is a value, which is looked at for a minute.
      if (threshold.unit === 'minutes') t.equal(rule?.for, `${threshold[severity]}m`)
      else t.match(rule, { for: '1m', expr: new RegExp(` > ${String(threshold[severity]).replace('.', '\\.')}$`) })
    }
  }
})

await t.test('and those of the runbook', async (t) => {
  const units = { ms: 'ms', percent: '%', minutes: 'min' }
  const rows: Record<string, string> = {
    response_time_avg: 'Response time (avg)',
    response_time_p95: 'Response time (P95)',
    error_rate: 'Error rate',
    memory_usage: 'Memory usage',
    database_errors: 'Database errors',
    service_downtime: 'Service downtime'
  }
  for (const { name, unit, warning, critical } of thresholds) {
    const row = runbook.split('\n').find((line) => line.startsWith(`| ${rows[name]} |`))
    t.same(row?.split('|').slice(2, 4).map((cell) => cell.replaceAll(' ', '')), [`>${warning}${units[unit]}`, `>${critical}${units[unit]}`], name)
  }
})

await t.test('Prometheus accepts the example of its configuration', { skip: withoutPrometheus }, async (t) => {
  const own = t.testdir({ 'metrics-token': 'a token of some length' })
  for (const name of ['prometheus.yml', 'alerts.yml']) await copyFile(path.join(folder, name), path.join(own, name))
  const { code, output } = await check('promtool', 'check', 'config', path.join(own, 'prometheus.yml'))
  t.equal(code, 0, output)
  await writeFile(path.join(own, 'alerts.yml'), 'groups: [{name: broken, rules: [{alert: A, expr: "up =="}]}]')
  t.not((await check('promtool', 'check', 'config', path.join(own, 'prometheus.yml'))).code, 0, 'the check reads the rules too')
})

await t.test('Alertmanager: a critical alert keeps its warning quiet, and only that one is called for', async (t) => {
  const { route, inhibit_rules: inhibitions, receivers } = await read<Alertmanager>('alertmanager.yml')
  t.match(inhibitions[0], { source_matchers: ['severity="critical"'], target_matchers: ['severity="warning"'] })
  for (const { alert, labels } of rules.filter(({ labels }) => labels.severity === 'critical')) {
    const warning = rules.find((rule) => rule.alert === alert && rule.labels.severity === 'warning')
    t.equal(warning?.labels.name, labels.name, `${alert}: the two have one name, by which they are told to belong together`)
  }
  t.same(inhibitions[0]?.equal, ['alertname', 'job', 'instance'])

  const named = inhibitions.flatMap((rule) => [...rule.source_matchers, ...rule.target_matchers]).flatMap((matcher) => /^alertname=~?"(.+)"$/.exec(matcher)?.[1]?.split('|') ?? [])
  t.ok(named.length > 0)
  for (const name of named) t.ok(rules.some(({ alert }) => alert === name), `${name} is an alert`)
  for (const receiver of [route.receiver, ...route.routes.map((one) => one.receiver)]) t.ok(receivers.some(({ name }) => name === receiver), receiver)

  const amtool = findProgram('amtool')
  if (amtool === undefined) return t.comment('amtool would look at the whole of it: apt-get install prometheus-alertmanager')
  const { code, output } = await check(amtool, 'check-config', path.join(folder, 'alertmanager.yml'))
  t.equal(code, 0, output)
})
