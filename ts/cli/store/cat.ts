import type { MessageExt } from '../../message/message-ext.js'
import { type MessageStore, hasKey } from '../../store/message-store.js'
import type { StoreStats } from '../../store/types.js'
import { leaveWithReader } from '../terminal.js'
import { openToRead } from './open.js'
import { ProgressBar } from './progress.js'

interface Options {
  readonly topic?: string
  readonly queue?: number
  readonly from?: bigint
  readonly to?: bigint
  readonly key?: string
  readonly max?: number
  readonly body: 'text' | 'json' | 'hex' | 'base64' | 'none'
}

/** Messages that are read by the index; for a key that more have it is faster to go through the log. */
const MOST_BY_KEY = 10_000

/** So many messages are passed over before a progress bar tells that something is going on. */
const SILENT_MESSAGES = 10_000

/** `rocketmq-native store cat` */
export async function cat(directory: string, options: Options): Promise<void> {
  const { topic, queue, key, max = Infinity } = options
  if (queue !== undefined && topic === undefined) throw new Error('option --queue needs --topic')
  leaveWithReader()
  await using store = await openToRead(directory)
  const bar = new ProgressBar()
  let log: StoreStats['commitLog'] | undefined
  let looked = 0
  let printed = 0
  for await (const message of messagesOf(store, options)) {
    // Only where nothing is printed for long.
    if (++looked % SILENT_MESSAGES === 0) {
      const { minOffset, maxOffset } = (log ??= (await store.stats()).commitLog)
      bar.update(message.commitLogOffset.sub(minOffset).toNumber(), maxOffset.sub(minOffset).toNumber())
    }
    if (topic !== undefined && message.topic !== topic) continue
    if (queue !== undefined && message.queueId !== queue) continue
    if (key !== undefined && !hasKey(message, key)) continue
    looked = 0
    bar.end()
    const shown = options.body === 'none' ? message : { ...message.toJSON(), body: body(message.body, options.body) }
    const line = `${JSON.stringify(shown)}\n`
    if (!process.stdout.write(line)) await new Promise(resolve => process.stdout.once('drain', resolve))
    if (++printed >= max) return
  }
  bar.end()
}

/** The messages among which those that are asked for are. */
function messagesOf(store: MessageStore, { topic, queue, from, to, key }: Options): AsyncIterable<MessageExt> {
  const isRange = from !== undefined || to !== undefined
  if (topic !== undefined && key !== undefined && !isRange) return withKey(store, topic, key)
  if (topic !== undefined && queue !== undefined) return store.queue(topic, queue, { from, to })
  return store.log({ from, to })
}

/** Those that the index has, and behind its end all there are. */
async function* withKey(store: MessageStore, topic: string, key: string): AsyncGenerator<MessageExt> {
  const { messages, indexLastUpdatePhyOffset: end } = store.query({ topic, key, maxCount: MOST_BY_KEY })
  if (messages.length === MOST_BY_KEY) return yield* store.log()
  yield* messages
  const last = messages.at(-1)?.commitLogOffset
  for await (const message of store.log({ from: end })) {
    if (last === undefined || message.commitLogOffset.gt(last)) yield message
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
