import { InvalidArgumentError, Option } from 'commander'

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

/** Addresses separated by `;` or `,`. */
export function addresses(text: string): string[] {
  const list = text.split(/[;,]/).map(address => address.trim())
  for (const address of list) {
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$/.test(address)) {
      throw new InvalidArgumentError('It must be host:port, several separated by ";".')
    }
  }
  return list
}

/** Where clients find their brokers; without the option the environment decides, as with every client of RocketMQ. */
export function nameServerOption(): Option {
  return new Option('-n, --name-server <list>', 'name servers: host:port, several separated by ";"')
    .env('NAMESRV_ADDR')
    .default(['127.0.0.1:9876'], '127.0.0.1:9876')
    .argParser(addresses)
}
