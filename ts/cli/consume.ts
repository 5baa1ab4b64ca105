import { Command } from 'commander'
import type { MessageExt } from '../message/message-ext.js'
import { nameServerOption, whole } from './arguments.js'
import { counted, leaveWithReader, print, printError, stopSignal, untilStopped } from './terminal.js'

interface Options {
  readonly nameServer: readonly string[]
  readonly topic: string
  readonly group: string
  readonly tags: string
  readonly fromFirst?: true
  readonly count?: number
  readonly json?: true
}

const NOTES = `
Prints one line for each message: time stored, broker:queue@offset, tags, body.
The broker keeps the offsets of the group: the next run goes on where this one
ended, and several at once share the messages.`

/** `rocketmq-native consume` */
export function consumeCommand(): Command {
  return new Command('consume')
    .summary('print messages as they arrive')
    .description('Joins a consumer group and prints messages as they arrive.')
    .addOption(nameServerOption())
    .requiredOption('-t, --topic <topic>', 'topic to read')
    .option('-g, --group <group>', 'consumer group', 'rocketmq-native-cli')
    .option('--tags <expression>', 'only these tags: "A || B", or "*" for all', '*')
    .option('--from-first', 'begin with the oldest message if the group is new')
    .option('--count <n>', 'stop after this many messages', whole(1, Number.MAX_SAFE_INTEGER))
    .option('--json', 'print one JSON object a line, with all there is')
    .addHelpText('after', NOTES)
    .action(run)
}

async function run(options: Options): Promise<void> {
  const stop = stopSignal()
  leaveWithReader()
  const { PushConsumer } = await import('../consumer/push-consumer.js')
  await using consumer = new PushConsumer({
    namesrvAddr: options.nameServer,
    consumerGroup: options.group,
    consumeFromWhere: options.fromFirst ? 'CONSUME_FROM_FIRST_OFFSET' : 'CONSUME_FROM_LAST_OFFSET',
    onError: (error, doing) => printError(`warning: ${doing}: ${error.message}`)
  })
  const enough = new AbortController()
  const format = options.json ? jsonLine : textLine
  let printed = 0
  consumer.subscribe(options.topic, options.tags)
  consumer.registerMessageListener(([message]) => {
    print(format(message!))
    if (++printed !== options.count) return
    // Here and not later, so that no further message is taken from the group and lost to it.
    void consumer.shutdown()
    enough.abort()
  })
  await consumer.start()
  await untilStopped(AbortSignal.any([stop, enough.signal]))
  await consumer.shutdown()
  printError(`consumed ${counted(printed, 'message')}`)
}

/** Control characters, line ends first of all, would break the line or steer the terminal. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g

function textLine(message: MessageExt): string {
  const { brokerName, queueId, queueOffset, storeTimestamp, tags = '-' } = message
  const place = `${brokerName}:${queueId}@${queueOffset.toString()}`
  const text = `${new Date(storeTimestamp).toISOString()} ${place} ${tags} ${message.body.toString()}`
  return text.replaceAll(CONTROL, character => JSON.stringify(character).slice(1, -1))
}

function jsonLine(message: MessageExt): string {
  const { topic, brokerName, queueId, queueOffset, msgId, reconsumeTimes, bornHost, body } = message
  return JSON.stringify({
    topic,
    brokerName,
    queueId,
    queueOffset: queueOffset.toString(),
    msgId,
    reconsumeTimes,
    bornHost,
    bornTimestamp: message.bornTimestamp,
    storeTimestamp: message.storeTimestamp,
    properties: Object.fromEntries(message.properties),
    ...bodyOf(body)
  })
}

/** As text where it is UTF-8, else in base64. */
function bodyOf(body: Buffer): { body: string } | { bodyBase64: string } {
  const text = body.toString()
  return Buffer.from(text).equals(body) ? { body: text } : { bodyBase64: body.toString('base64') }
}
