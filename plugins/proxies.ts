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
