/** What an expression asks for: a metric, and what it wants of some of its labels. */
export interface Selector { metric: string, matchers: { label: string, operator: string, value: string }[] }

/** Words of the language that stand where a metric could. */
const words = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'and', 'or', 'unless', 'bool', 'offset'])

/**
 * The selectors of a PromQL expression, for expressions as we write them: no metric is asked for by `__name__`, and
 * promtool has accepted the whole.
 */
export function selectorsOf (expression: string): Selector[] {
  const text = expression.replace(/\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, ' ').replace(/\[[^\]]*\]|\b\d+[smhdwy]\b/g, ' ')
  const token = /"(?:[^"\\]|\\.)*"|([a-zA-Z_:][\w:]*)\s*(\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}|\()?/g
  return [...text.matchAll(token)].flatMap(([, name, after, inside = '']) => {
    if (name === undefined || after === '(' || words.has(name)) return []
    const matchers = [...inside.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"/g)]
      .map(([, label = '', operator = '', value = '']) => ({ label, operator, value }))
    return [{ metric: name, matchers }]
  })
}

/** One line of what a service exposes to Prometheus. */
export interface Sample { metric: string, labels: Record<string, string>, value: number }

/** The samples of Prometheus' text format. */
export function samplesOf (exposition: string): Sample[] {
  return [...exposition.matchAll(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gm)].map(([, metric = '', inside = '', value]) => ({
    metric,
    labels: Object.fromEntries([...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, label, text]) => [label, text])),
    value: Number(value)
  }))
}

/** Whether a selector finds a sample; labels that Prometheus adds are whatever they are asked to be. */
export function finds ({ metric, matchers }: Selector, sample: Sample): boolean {
  return sample.metric === metric && matchers.every(({ label, operator, value }) => {
    if (label === 'instance' || (label === 'job' && !metric.startsWith('eden_job_'))) return true
    const given = sample.labels[label] ?? ''
    const matches = operator.endsWith('~') ? new RegExp(`^(?:${value})$`).test(given) : given === value
    return operator.startsWith('!') ? !matches : matches
  })
}
