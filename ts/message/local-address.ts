import { networkInterfaces } from 'node:os'

/**
 * The address by which this machine is known: an IPv4 address that is neither loopback nor 192.168.x.x, else any IPv4
 * address that is no loopback, else IPv6, else 127.0.0.1 (`common/utils/NetworkUtil.java#getLocalAddress`).
 */
export function localAddress(): string {
  const addresses = Object.values(networkInterfaces())
    .flatMap(list => list ?? [])
    .filter(address => !address.internal)
  const v4 = addresses.filter(address => address.family === 'IPv4').map(address => address.address)
  const v6 = addresses.find(address => address.family === 'IPv6' && address.scopeid === 0)
  return v4.find(address => !address.startsWith('192.168')) ?? v4.at(-1) ?? v6?.address ?? '127.0.0.1'
}

/** The 4 or 16 bytes of a textual IP address; an IPv6 address may end as an IPv4 address (`::ffff:10.0.0.1`). */
export function ipBytes(address: string): Buffer {
  const v4At = address.lastIndexOf(':') + 1
  if (v4At > 0 && address.includes('.', v4At)) {
    const [a = 0, b = 0, c = 0, d = 0] = address.slice(v4At).split('.').map(Number)
    const groups = [a * 256 + b, c * 256 + d].map(group => group.toString(16))
    return ipBytes(address.slice(0, v4At) + groups.join(':'))
  }
  if (!address.includes(':')) return Buffer.from(address.split('.').map(Number))
  const [head = '', tail = ''] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [i, group] of [...before, ...zeros, ...after].entries()) bytes.writeUInt16BE(parseInt(group, 16), i * 2)
  return bytes
}

/** The text of 4 or 16 bytes of an IP address; IPv6 in its long form, as Java prints it. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups: string[] = []
  for (let i = 0; i < bytes.length; i += 2) groups.push(((bytes[i]! << 8) | bytes[i + 1]!).toString(16))
  return groups.join(':')
}
