import { lookup as resolve } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { isIP } from 'node:net'
import { isPublic } from './addresses.js'

/** An address that somebody gave us and that we do not ask. `message` says why, in words for who gave it. */
export class OutgoingRefused extends Error {
  override name = 'OutgoingRefused'
  readonly code = 'OUTGOING_REFUSED'
}

/** It did not come to an answer, or to more of one than is taken. */
export class OutgoingFailed extends Error {
  override name = 'OutgoingFailed'
  readonly code = 'OUTGOING_FAILED'
}

export interface OutgoingRequest {
  method?: 'GET' | 'HEAD' | 'POST'
  headers?: Record<string, string>
  body?: string | Buffer
  /** The longest that all of it may take, redirects included. */
  timeoutMs?: number
  /** The largest answer that is taken. */
  maxBytes?: number
  /** How many redirects are followed, and only of GET and HEAD; each is checked like the first address. None when left out. */
  redirects?: number
}

export interface OutgoingAnswer { status: number, headers: IncomingMessage['headers'], body: Buffer, url: string }

export interface OutgoingRules {
  /** Whether plain HTTP is refused: in production it is. */
  httpsOnly: boolean
  /** All addresses of a host name. */
  lookup?: (host: string) => Promise<string[]>
  /** Whether an address may be connected to; a test lets its own server be one of those. */
  mayConnect?: (address: string) => boolean
  /** Certificates of authorities, as PEM, instead of those that Node knows. */
  authorities?: string
  /** Ports that may be connected to: not those of databases and mail. */
  mayUsePort?: (port: number) => boolean
}

const TIMEOUT_MS = 10_000
const MAX_BYTES = 1024 * 1024
const redirected = new Set([301, 302, 303, 307, 308])
/** Names that never lead outside, whatever a resolver says. */
const insideNames = /(^|\.)(localhost|local|internal|intranet|lan|home|corp|private|home\.arpa|onion|test|invalid)$/

const systemLookup = async (host: string) => (await resolve(host, { all: true, verbatim: true })).map(({ address }) => address)

/** A URL that may be asked, as far as can be told without asking anyone. @throws OutgoingRefused */
export function checkOutgoingUrl (text: string, { httpsOnly, mayConnect = isPublic, mayUsePort = isUsualPort }: OutgoingRules): URL {
  // The parser of URLs makes one address of all ways to write it: 2130706433, 0x7f.1, 127.1, full-width digits and dots.
  if (!URL.canParse(text)) throw new OutgoingRefused('this is no URL')
  const url = new URL(text)
  if (url.protocol !== 'https:' && (httpsOnly || url.protocol !== 'http:')) throw new OutgoingRefused(`the URL must begin with https://${httpsOnly ? '' : ' or http://'}`)
  if (url.username !== '' || url.password !== '') throw new OutgoingRefused('the URL must not hold a user name or a password')
  const host = hostOf(url)
  if (isIP(host) !== 0 ? !mayConnect(host) : !host.includes('.') || insideNames.test(host)) throw new OutgoingRefused('the URL must not lead into a private network')
  if (!mayUsePort(portOf(url))) throw new OutgoingRefused('the URL must not name this port')
  return url
}

const isUsualPort = (port: number) => port === 80 || port === 443 || port >= 1024
const portOf = ({ port, protocol }: URL) => Number(port) || (protocol === 'https:' ? 443 : 80)
/** Without the brackets of IPv6 and the dot at the end of a full name. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')

/**
 * Asks an address that somebody gave us, and nothing behind our own walls: the name is looked up once, every address that comes
 * back must be public, and the connection goes to just that address; a resolver that says something else a moment later is
 * not asked again. Never uses a proxy or a connection that is there already.
 * @returns the answer, whatever its status
 * @throws OutgoingRefused when it may not be asked, OutgoingFailed when it does not answer in time or says too much
 */
export async function fetchOutside (text: string, request: OutgoingRequest, rules: OutgoingRules): Promise<OutgoingAnswer> {
  const { timeoutMs = TIMEOUT_MS, redirects = 0, method = 'GET' } = request
  const signal = AbortSignal.timeout(timeoutMs)
  let url = checkOutgoingUrl(text, rules)
  for (let followed = 0; ; followed++) {
    const answer = await askOnce(url, request, rules, signal)
    const { location } = answer.headers
    if (!redirected.has(answer.status) || location === undefined || method === 'POST' || redirects === 0) return answer
    if (followed === redirects) throw new OutgoingFailed(`more than ${redirects} redirects`)
    if (!URL.canParse(location, url.href)) throw new OutgoingRefused('a redirect leads to no URL')
    const next = checkOutgoingUrl(new URL(location, url).href, rules)
    // What was meant for one host (a token, a signature) is not for another.
    if (next.origin !== url.origin) request = { ...request, headers: {} }
    url = next
  }
}

async function addressOf (host: string, { lookup = systemLookup, mayConnect = isPublic }: OutgoingRules, signal: AbortSignal): Promise<string> {
  if (isIP(host) !== 0) return host // checked already
  let addresses: string[]
  try {
    addresses = await Promise.race([lookup(host), aborted(signal)])
  } catch (cause) {
    throw new OutgoingFailed('the host is not found', { cause })
  }
  const [first] = addresses
  if (first === undefined) throw new OutgoingFailed('the host is not found')
  // One bad address among good ones is no accident.
  if (!addresses.every((address) => mayConnect(address))) throw new OutgoingRefused('the URL must not lead into a private network')
  return first
}

function aborted (signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => { signal.addEventListener('abort', () => reject(signal.reason), { once: true }) })
}

async function askOnce (url: URL, { method = 'GET', headers = {}, body, maxBytes = MAX_BYTES }: OutgoingRequest, rules: OutgoingRules, signal: AbortSignal): Promise<OutgoingAnswer> {
  const host = hostOf(url)
  const address = await addressOf(host, rules, signal)
  const client = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    const fail = (message: string, cause?: unknown) => reject(new OutgoingFailed(message, { cause }))
    const outgoing = client.request({
      host: address, // no name, so nothing is looked up
      port: portOf(url),
      path: url.pathname + url.search,
      method,
      headers: { 'user-agent': 'Eden-ERP', accept: '*/*', ...headers, host: url.host },
      agent: false,
      signal,
      // The certificate is the name's; an address has no server name.
      ...isIP(host) === 0 ? { servername: host } : {},
      ...rules.authorities === undefined ? {} : { ca: rules.authorities }
    } satisfies https.RequestOptions, (answer) => {
      const chunks: Buffer[] = []
      let size = 0
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= maxBytes) chunks.push(chunk)
        else {
          fail(`the answer is larger than ${maxBytes} bytes`)
          outgoing.destroy()
        }
      })
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks), url: url.href }))
      answer.on('error', (cause) => fail('the answer broke off', cause))
      answer.on('aborted', () => fail('the answer broke off'))
    })
    outgoing.on('error', (cause) => fail(signal.aborted ? 'it took too long' : 'it cannot be reached', cause))
    outgoing.end(body)
  })
}
