import type { MessageExt } from '../../message/message-ext.js'
import { MessageStore } from '../../store/message-store.js'
import { leaveWithReader } from '../terminal.js'

interface Options {
  readonly topic?: string
  readonly queue?: number
  readonly from?: bigint
  readonly to?: bigint
  readonly key?: string
  readonly max?: number
  readonly body: 'text' | 'json' | 'hex' | 'base64' | 'none'
}

/** `rocketmq-native store cat` */
export async function cat(directory: string, options: Options): Promise<void> {
  const { topic, queue, from, to, key, max = Infinity } = options
  if (queue !== undefined && topic === undefined) throw new Error('option --queue needs --topic')
  leaveWithReader()
  await using store = await MessageStore.open({ directory, readOnly: true })
  const inQueue = topic !== undefined && queue !== undefined
  const messages = inQueue ? store.queue(topic, queue, { from, to }) : store.log({ from, to })
  let printed = 0
  for await (const message of messages) {
    if (topic !== undefined && message.topic !== topic) continue
    if (key !== undefined && message.msgId !== key && !(message.keys ?? '').split(' ').includes(key)) continue
    const line = `${JSON.stringify(plain(message, options.body))}\n`
    if (!process.stdout.write(line)) await new Promise(resolve => process.stdout.once('drain', resolve))
    if (++printed >= max) return
  }
}

function plain(message: MessageExt, form: Options['body']): object {
  return {
    topic: message.topic,
    queueId: message.queueId,
    queueOffset: message.queueOffset.toString(),
    commitLogOffset: message.commitLogOffset.toString(),
    msgId: message.msgId,
    offsetMsgId: message.offsetMsgId,
    bornTimestamp: message.bornTimestamp,
    bornHost: message.bornHost,
    storeTimestamp: message.storeTimestamp,
    storeHost: message.storeHost,
    flag: message.flag,
    sysFlag: message.sysFlag,
    reconsumeTimes: message.reconsumeTimes,
    properties: Object.fromEntries(message.properties),
    ...(form === 'none' ? {} : { body: body(message.body, form) })
  }
}

function body(bytes: Buffer, form: Exclude<Options['body'], 'none'>): unknown {
  if (form === 'hex' || form === 'base64') return bytes.toString(form)
  const text = bytes.toString()
  if (form === 'text') return text
  try {
    return JSON.parse(text)
  } catch {
    // What is no JSON is shown as text.
    return text
  }
}
