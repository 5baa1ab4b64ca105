import { isIP } from 'node:net'
import { InvalidArgumentError } from '../errors.js'
import { ipBytes } from '../message/local-address.js'

/** A host as records hold it. */
export interface Host {
  /** 4 or 16 bytes. */
  readonly address: Buffer
  readonly port: number
}

/** `ip:port` or `[ip]:port` as text and number. */
export function splitHost(what: string, host: string): { ip: string; port: number } {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,9})$/.exec(host) ?? []
  const ip = v6 ?? v4 ?? ''
  if (isIP(ip) === 0) throw new InvalidArgumentError(`${what} must be ip:port, not ${JSON.stringify(host)}`)
  return { ip, port: Number(port) }
}

/** The same as bytes. */
export function hostBytes(what: string, host: string): Host {
  const { ip, port } = splitHost(what, host)
  return { address: ipBytes(ip), port }
}
