import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { parse } from 'yaml'

/** The files that an operator gives to Prometheus, Alertmanager and Grafana. */
export const folder = path.join(import.meta.dirname, '../../docs/monitoring')

/** A rule of alerts.yml. */
export interface Rule { alert: string, expr: string, for?: string, labels: Record<string, string>, annotations: Record<string, string> }
export interface Rules { groups: { name: string, rules: Rule[] }[] }

/** Reads a YAML file of the folder. */
export async function read<T> (name: string): Promise<T> {
  return parse(await readFile(path.join(folder, name), 'utf8')) as T
}

/** Where a program is, or undefined where it is not installed. */
export function findProgram (name: string): string | undefined {
  return (process.env.PATH ?? '').split(path.delimiter).map((one) => path.join(one, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** For a test's `skip`: false, or what is missing and how to get it. */
export const withoutPrometheus = ['promtool', 'prometheus'].some((name) => findProgram(name) === undefined) &&
  'promtool is not here: apt-get install prometheus'

/** Runs a program that checks. @returns its exit code and all that it said */
export function check (program: string, ...args: string[]): Promise<{ code: number, output: string }> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, output: stdout + stderr })
    })
  })
}
