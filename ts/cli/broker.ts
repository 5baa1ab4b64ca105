import { Command, Option } from 'commander'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { localAddress } from '../message/local-address.js'
import type { ShutdownSummary } from '../server/broker.js'
import type { Server } from '../server/server.js'
import { addresses, port } from './arguments.js'
import { RecoveryDisplay } from './recovery-display.js'
import { counted, goOnWithoutReader, grouped, print, printError, stopSignal, untilStopped } from './terminal.js'
import { VERSION } from './version.js'

interface Options {
  readonly port?: number
  readonly nameServerPort: number
  readonly host?: string
  readonly advertise?: string
  readonly data?: string
  readonly nameServer?: readonly string[]
  readonly config?: string
}

/** What Apache has on these ports too; a file given with `-c` may say otherwise. */
const DEFAULTS = 'listenPort=10911\nstorePathRootDir=rocketmq-data\n'

const NOTES = `
Messages, offsets and topics are kept in the data directory, in Apache's format;
the same directory brings them back. Options win over the file given with -c.
Ctrl-C answers what is under way, flushes, and says what was done; a second one
exits at once. SIGTERM and a terminal that is closed (SIGHUP) do the same. When
its output cannot be written any more, the broker goes on.`

/** `rocketmq-native broker` */
export function brokerCommand(): Command {
  return new Command('broker')
    .summary('start a name server and a broker in one process')
    .description('Starts a name server and a broker in one process.')
    .option('--port <port>', 'port of the broker, 0 for any free one (default: 10911)', port)
    .addOption(
      new Option('--name-server-port <port>', 'port of the name server, 0 for any free one')
        .default(9876)
        .argParser(port)
        .conflicts('nameServer')
    )
    .option('--host <ip>', 'IP address to listen on, 0.0.0.0 for all (default: 127.0.0.1)')
    .option('--advertise <host>', 'host that clients are told to connect to, if another')
    .option('--data <dir>', 'directory of the data (default: ./rocketmq-data)')
    .option('-n, --name-server <list>', 'join these name servers (host:port;...), start none', addresses)
    .option('-c, --config <file>', "settings in the form of Apache's broker.conf")
    .addHelpText('after', NOTES)
    .action(run)
}

async function run(options: Options): Promise<void> {
  const stop = stopSignal()
  goOnWithoutReader()
  const { startServer } = await import('../server/server.js')
  const events = new EventLog()
  const recovery = new RecoveryDisplay(process.stderr)
  const server = await startServer({
    host: options.host,
    port: options.port,
    nameServerPort: options.nameServerPort,
    dataDir: options.data,
    advertise: options.advertise,
    nameServers: options.nameServer,
    configText: DEFAULTS + (options.config === undefined ? '' : await readConfig(options.config)),
    onEvent: line => events.add(line),
    onRecovery: recovery.update
  }).finally(() => recovery.end())
  greet(server, options.advertise)
  events.show()
  await untilStopped(stop)
  print(`stopping (${stop.reason}): answering what is under way, flushing`)
  print(farewell(await server.shutdown()))
}

/** Prints what the broker tells of itself, but nothing before the greeting. */
class EventLog {
  #held: string[] | undefined = []

  add(text: string): void {
    const line = `${new Date().toISOString()} ${text}`
    if (this.#held === undefined) printError(line)
    else this.#held.push(line)
  }

  show(): void {
    for (const line of this.#held ?? []) printError(line)
    this.#held = undefined
  }
}

async function readConfig(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Error(`cannot read the configuration: ${(error as Error).message}`, { cause: error })
  }
}

function greet(server: Server, advertise: string | undefined): void {
  const nameServer = server.hasNameServer ? forClients(server, advertise) : server.nameServerAddress
  for (const warning of server.warnings) printError(`warning: ${warning}`)
  print(`rocketmq-native ${VERSION}`)
  print()
  print(`  name server   ${nameServer}${server.hasNameServer ? '' : ' (external)'}`)
  print(`  broker        ${server.brokerAddress}`)
  print(`  data          ${resolve(server.dataDir)}`)
  print(`  clients       namesrvAddr: '${nameServer}'`)
  print(`  try           npx rocketmq-native send -n '${nameServer}' -t TopicTest hello`)
  print()
  print(`ready in ${Math.round(performance.now())} ms, Ctrl-C stops`)
}

/** Our name server as others reach it. */
function forClients({ brokerAddress, nameServerAddress }: Server, advertise: string | undefined): string {
  const onAll = brokerAddress.startsWith('0.0.0.0:') || brokerAddress.startsWith('[::]:')
  if (!onAll && advertise === undefined) return nameServerAddress
  return `${advertise ?? localAddress()}:${nameServerAddress.slice(nameServerAddress.lastIndexOf(':') + 1)}`
}

function farewell({ messagesPut, messagesGot, heldPullsAnswered, connectionsClosed, tookMs }: ShutdownSummary): string {
  const stored = `${counted(messagesPut, 'message')} stored, ${grouped(messagesGot)} given out`
  const ended = `${counted(heldPullsAnswered, 'held pull')} answered, ${counted(connectionsClosed, 'connection')} closed`
  return `${stored}, ${ended}\nstopped in ${Math.ceil(tookMs)} ms, everything is on disk`
}
