import ipaddr from 'ipaddr.js'

/** Who is counted together: an IPv4 address, or the /64 of an IPv6 address, which is what one customer has at least. */
export function subjectOf (ip: string): string {
  if (!ip.includes(':') || !ipaddr.isValid(ip)) return ip
  const address = ipaddr.process(ip) // IPv4 that is written as IPv6 is IPv4
  return address instanceof ipaddr.IPv6 ? `${address.parts.slice(0, 4).map((part) => part.toString(16)).join(':')}::/64` : address.toString()
}
