/** What a run of tap came to. */
export interface Totals { passed: number, failed: number, skipped: number }

/** Of a failure's YAML: not the markers, not what the stack says again, and of a process only how it ended. */
function isWorthReading (line: string, ofProcess: boolean): boolean {
  if (ofProcess) return /^(exitCode|signal|timeout|reason|message|error):/.test(line)
  return !/^(---|\.\.\.|at:|test:.*)$|^ {2,4}(generated|fileName|lineNumber|columnNumber|typeName|methodName|functionName|isToplevel|isConstructor):/.test(line)
}

/**
 * Turns tap's own output (TAP 14) into what a reader wants: a line per file as it ends, every failed assertion with its
 * place and difference, what was skipped and why, and what the tests said themselves. Passed assertions are only counted.
 * @param print takes one line
 */
export function createReport (print: (line: string) => void) {
  /** The names of the tests we are in; a subtest is indented four columns more than its parent. */
  const path: string[] = []
  /** Depth of the last failure shown: its parents fail because of it and are not shown again. */
  let shown = 0
  /** The diagnostics we are in: how far indented, and whether they belong to a failure that is shown. */
  let diagnostics: { indent: number, show: boolean } | undefined
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 }

  function result (depth: number, failed: boolean, description: string): void {
    const [, name = '', directive = ''] = /^(.*?)(?: # (.*))?$/.exec(description) ?? []
    const isTodo = /^(skip|todo)/i.test(directive)
    const explained = shown > depth
    if (failed && !isTodo && !explained) {
      const what = depth === 0 ? [path[0] ?? name, 'ended badly'] : [...path.slice(1, depth), name]
      print(`\n  ✖ ${what.filter(Boolean).join(' > ')}`)
    }
    diagnostics = { indent: depth * 4 + 2, show: failed && !isTodo && !explained }
    const skip = /^skip\b:? *(.*)$/i.exec(directive)
    if (skip !== null) print(`  skipped: ${[...path.slice(0, depth), name, skip[1]].filter(Boolean).join(' > ')}`)
    if (failed && !isTodo) shown = depth
    if (depth > 0) return
    const ms = /time=([\d.]+)ms/.exec(directive)?.[1]
    print(`${failed ? 'FAIL' : 'ok  '} ${path[0] ?? name}${ms === undefined ? '' : `  ${(Number(ms) / 1000).toFixed(1)} s`}`)
    shown = 0
    path.length = 0 // what comes without a subtest is about the run, and not about the last file
  }

  return {
    /** Takes the next line of TAP. */
    line (text: string): void {
      const indent = text.length - text.trimStart().length
      const depth = Math.floor(indent / 4)
      const line = text.trim()
      if (diagnostics !== undefined && indent >= diagnostics.indent && !(indent % 4 === 0 && /^(not )?ok \d|^# Subtest/.test(line))) {
        if (diagnostics.show && isWorthReading(text.slice(diagnostics.indent), diagnostics.indent === 2)) print(`    ${text.slice(diagnostics.indent)}`)
        if (line === '...' && indent === diagnostics.indent) diagnostics = undefined
        return
      }
      if (line !== '') diagnostics = undefined
      const assertion = /^(not )?ok \d+(?: - )?(.*)$/.exec(line)
      if (assertion !== null) return result(depth, assertion[1] !== undefined, assertion[2] ?? '')
      if (line.startsWith('# Subtest: ')) {
        path.length = depth
        path[depth] = line.slice('# Subtest: '.length)
      } else if (indent === 0 && line.startsWith('# { ')) {
        const count = (name: string) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(line)?.[1] ?? 0)
        Object.assign(totals, { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') })
      } else if (indent >= 4 && line !== '' && !/^(# (time(out)?=|failed |skip: |todo: |\{ )|\d+\.\.\d+)/.test(line)) {
        // What a test printed or commented on, one level in because its file is a subtest.
        print(text.slice(4).replace(/^( *)# /, '$1'))
      }
    },
    totals
  }
}
