import { InvalidArgumentError, Option } from 'commander'
import { parseNameServerList } from '../client/name-server-source.js'

/** Parsers of option values, and the options that several commands have. */

/** A whole number between two others. */
export function whole(min: number, max: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
    }
    return value
  }
}

/** A TCP port; 0 stands for any free one. */
export const port = whole(0, 65_535)

/** Addresses separated by `;` or `,`, as clients take them. */
export function addresses(text: string): readonly string[] {
  try {
    return parseNameServerList('it', text)
  } catch {
    throw new InvalidArgumentError('It must be host:port, several separated by ";".')
  }
}

/** Where clients find their brokers; without the option the environment decides, as with every client of RocketMQ. */
export function nameServerOption(): Option {
  return new Option('-n, --name-server <list>', 'name servers: host:port, several separated by ";"')
    .env('NAMESRV_ADDR')
    .default(['127.0.0.1:9876'], '127.0.0.1:9876')
    .argParser(addresses)
}
