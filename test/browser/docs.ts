/**
 * Whether `/docs` works in a real browser under its content security policy. Run by hand, on a service that runs:
 * `npx tsx test/browser/docs.ts http://127.0.0.1:3000`, with Debian's chromium (or the one that CHROMIUM names).
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { chromium } from 'playwright-core'

const base = process.argv[2] ?? 'http://127.0.0.1:3000'
const profile = await mkdtemp(path.join(tmpdir(), 'eden-browser-'))
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
})
const said: string[] = []
try {
  const page = await browser.newPage()
  page.on('console', (message) => { if (message.type() === 'error' || /content security policy/i.test(message.text())) said.push(message.text()) })
  page.on('pageerror', (error) => said.push(error.message))
  page.on('request', (request) => { if (!request.url().startsWith(base) && !request.url().startsWith('data:')) said.push(`asked ${request.url()}`) })
  await page.goto(`${base}/docs`)
  await page.locator('.opblock').first().waitFor()
  const operations = await page.locator('.opblock').count()
  await page.locator('.opblock-summary-control', { hasText: '/version' }).click()
  const tryOut = page.locator('.opblock.is-open .execute')
  await tryOut.waitFor()
  await tryOut.click()
  await page.locator('.opblock.is-open .live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
  process.stdout.write(`${operations} operations are shown, one was tried and answered 200; complaints: ${said.length}\n`)
} finally {
  await browser.close()
  await rm(profile, { recursive: true, force: true })
}
if (said.length > 0) {
  process.stderr.write(`${said.join('\n')}\n`)
  process.exitCode = 1
}
