import { isIP } from 'node:net'
import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'

/** Names that stand for networks, as the framework knows them. */
const named = new Set(['loopback', 'linklocal', 'uniquelocal'])

/** Whether one part of TRUST_PROXY names an address or a network; the whole internet is no proxy. */
function isProxy (text: string): boolean {
  if (named.has(text)) return true
  if (ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)) return true
  return ipaddr.isValidCIDR(text) && ipaddr.parseCIDR(text)[1] > 0
}

/** Whether TRUST_PROXY is empty or a list of addresses and networks. */
export function isProxyList (text: string): boolean {
  return text === '' || text.split(',').every(isProxy)
}

/**
 * What the framework is told of the proxies in front (`trustProxy`): their addresses, and nothing else. Anybody may write into
 * `X-Forwarded-For` whatever they like, so it is read from its end, and only as far as trusted proxies have written it. A
 * number of hops is not taken: it would believe a client that comes past the proxies.
 */
export function trustedProxies (text: string): false | string[] {
  return text === '' ? false : text.split(',')
}

/** An address without what some proxies write beside it: `192.0.2.7:4711`, `[2001:db8::7]:4711`, `fe80::7%eth0`. @returns undefined when it is none */
function plainAddress (text: string): string | undefined {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(text) ?? []
  const [, beforePort] = /^([\d.]+):\d+$/.exec(text) ?? []
  const address = (bracketed ?? beforePort ?? text).replace(/%.*$/s, '')
  return isIP(address) === 0 ? undefined : address
}

/**
 * Who is connected, or who the trusted proxies say is: always an address, to count by and to keep. What a proxy passes on that is none
 * (`unknown`, or whatever a client wrote) stands for the proxy itself.
 */
export function addressOf ({ ip, socket }: FastifyRequest): string {
  return plainAddress(ip) ?? plainAddress(socket.remoteAddress ?? '') ?? '0.0.0.0'
}
