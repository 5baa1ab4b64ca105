import { Command } from 'commander'
import { createInterface } from 'node:readline'
import type { Producer } from '../producer/producer.js'
import { nameServerOption, whole } from './arguments.js'
import { leaveWithReader, print } from './terminal.js'

interface Options {
  readonly nameServer: readonly string[]
  readonly topic: string
  readonly group: string
  readonly tags?: string
  readonly keys?: string
  readonly count: number
}

const NOTES = `
Without a body each line of standard input that is not empty is a message. For
each message one line is printed: status, message id, broker, queue id and queue offset.`

/** `rocketmq-native send` */
export function sendCommand(): Command {
  return new Command('send')
    .summary('send messages')
    .description('Sends messages, one after the other, and prints what became of each.')
    .argument('[body]', 'what to send; lines of standard input if left out')
    .addOption(nameServerOption())
    .requiredOption('-t, --topic <topic>', 'topic to send to; brokers create it as a rule')
    .option('-g, --group <group>', 'producer group', 'rocketmq-native-cli')
    .option('--tags <tag>', 'tag to be filtered by')
    .option('--keys <keys>', 'keys to be found by, separated by blanks')
    .option('--count <n>', 'send each message this many times', whole(1, 1_000_000_000), 1)
    .addHelpText('after', NOTES)
    .action(run)
}

async function run(body: string | undefined, options: Options): Promise<void> {
  leaveWithReader()
  const { Producer } = await import('../producer/producer.js')
  await using producer = new Producer({ namesrvAddr: options.nameServer, producerGroup: options.group })
  await producer.start()
  if (body !== undefined) {
    await send(producer, body, options)
    return
  }
  for await (const line of createInterface({ input: process.stdin })) {
    if (line !== '') await send(producer, line, options)
  }
}

async function send(producer: Producer, body: string, { topic, tags, keys, count }: Options): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { sendStatus, msgId, messageQueue, queueOffset } = await producer.send({ topic, body, tags, keys })
    print(`${sendStatus} ${msgId} ${messageQueue.brokerName} ${messageQueue.queueId} ${queueOffset.toString()}`)
  }
}
