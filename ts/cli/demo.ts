import { Command } from 'commander'
import { addresses, whole } from './arguments.js'
import { MIN_BODY_BYTES } from './demo/body.js'
import type { DemoOptions } from './demo/run.js'
import { failUnlessReaderLeft, outputSignal, stopSignal } from './terminal.js'

const NOTES = `
Sends through a server of its own with a temporary directory (about 300 bytes of
disk for each message of 128), or through the one given with --name-server, and
reads everything back. Each body has its index and a checksum: at the end it is
known of every message whether it arrived, unharmed, and how often. Loss or
corruption end with exit code 1.`

/** `rocketmq-native demo` */
export function demoCommand(): Command {
  return new Command('demo')
    .summary('send a million messages, read them back, check each')
    .description('Sends messages, reads them back, checks each of them, and prints the rates.')
    .option('--messages <n>', 'how many messages', whole(1, 1_000_000_000), 1_000_000)
    .option('--bytes <n>', 'bytes of each body', whole(MIN_BODY_BYTES, 4 * 1024 * 1024), 128)
    .option('--window <n>', 'sends under way at once', whole(1, 10_000), 1_024)
    .option('--consumers <n>', 'members of the consumer group', whole(1, 64), 2)
    .option('--name-server <list>', 'use this server (host:port;...), start none', addresses)
    .addHelpText('after', NOTES)
    .action(run)
}

async function run(options: DemoOptions): Promise<void> {
  const output = outputSignal()
  const stop = AbortSignal.any([stopSignal(), output])
  const { runDemo } = await import('./demo/run.js')
  const isGood = await runDemo(options, stop)
  if (output.aborted) failUnlessReaderLeft(output.reason as Error)
  else if (!isGood) process.exitCode = 1
}
