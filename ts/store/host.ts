import { isIP } from 'node:net'
import { ipBytes } from '../message/local-address.js'
import { refuse } from './arguments.js'

/** A host as records hold it. */
export interface Host {
  /** 4 or 16 bytes. */
  readonly address: Buffer
  readonly port: number
}

const HOST = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/
const MAX_PORT = 65_535

/**
 * `ip:port` or `[ip]:port` as text and number. A record with a port above 65535 is none for Apache's readers
 * (`common/message/MessageDecoder.java#decode` returns null).
 *
 * @param what its name, for the error
 * @throws InvalidArgumentError
 */
export function splitHost(what: string, host: string): { ip: string; port: number } {
  const [, v6, v4, digits] = (typeof host === 'string' ? HOST.exec(host) : null) ?? []
  const ip = v6 ?? v4 ?? ''
  const port = Number(digits)
  if (isIP(ip) === 0 || port > MAX_PORT) refuse(what, `ip:port with a port up to ${MAX_PORT}`, host)
  return { ip, port }
}

/** The same as bytes. */
export function hostBytes(what: string, host: string): Host {
  const { ip, port } = splitHost(what, host)
  return { address: ipBytes(ip), port }
}
