import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from '../embedded/run.js'

/** Whether certificates can be made here: Node cannot. */
export const canMakeCertificates = (await run('openssl', ['version'])).code === 0
export const withCertificates = { skip: canMakeCertificates ? false : 'openssl is not installed: apt-get install openssl' } as const

/** A certificate that nobody has signed but itself, and its key, as PEM. @param name whose it is: DNS:example.com, IP:127.0.0.1 */
export async function makeCertificate (t: Test, name: string): Promise<{ key: string, cert: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'eden-test-tls-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const made = await run('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=eden', '-addext', `subjectAltName=${name}`])
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
}
