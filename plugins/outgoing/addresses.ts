import ipaddr from 'ipaddr.js'

/** The part of IPv6 that is given out: what lies outside is translated, local, or nobody's. */
const given = ipaddr.parseCIDR('2000::/3')
/** What the library takes for ordinary and is not: benchmarks, protocols, documentation. */
const more = ['198.18.0.0/15', '2001::/23', '3fff::/20'].map((text) => ipaddr.parseCIDR(text))

/**
 * Whether an address is one of the public internet. Everything that is set aside is not: private, loopback, link-local,
 * carrier's, multicast, documentation, unique local, and IPv6 with an IPv4 address inside (mapped, NAT64, 6to4, Teredo).
 */
export function isPublic (address: string): boolean {
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  const isIn = ([network, bits]: ReturnType<typeof ipaddr.parseCIDR>) => network.kind() === parsed.kind() && parsed.match(network as never, bits)
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || isIn(given)) && !more.some(isIn)
}
