import { Command } from 'commander'
import { port } from './arguments.js'
import { counted, goOnWithoutReader, print, stopSignal, untilStopped } from './terminal.js'
import { VERSION } from './version.js'

interface Options {
  readonly port: number
  readonly host: string
}

const NOTES = `
Ctrl-C, SIGTERM and a terminal that is closed (SIGHUP) let replies go out, then
stop it. When its output cannot be written any more, it goes on.`

/** `rocketmq-native namesrv` */
export function namesrvCommand(): Command {
  return new Command('namesrv')
    .summary('start a name server alone')
    .description('Starts a name server alone, for brokers in other processes to register with.')
    .option('--port <port>', 'port to listen on, 0 for any free one', port, 9876)
    .option('--host <ip>', 'IP address to listen on, 0.0.0.0 for all', '127.0.0.1')
    .addHelpText('after', NOTES)
    .action(run)
}

async function run({ host, port: listenPort }: Options): Promise<void> {
  const stop = stopSignal()
  goOnWithoutReader()
  const { NameServer } = await import('../server/name-server.js')
  const nameServer = await NameServer.start({ host, port: listenPort })
  print(`rocketmq-native ${VERSION}`)
  print()
  print(`  name server   ${nameServer.address}`)
  print()
  print(`ready in ${Math.round(performance.now())} ms, Ctrl-C stops`)
  await untilStopped(stop)
  print(`stopped: ${counted(await nameServer.shutdown(), 'connection')} closed`)
}
