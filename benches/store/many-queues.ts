/**
 * `node build/benches/store/many-queues.js DIRECTORY TOPICS MESSAGES BATCH`: puts from JavaScript to four queues and to those of
 * TOPICS topics, in short turns, so that whatever else the machine does meets both. The queues' files should be there already.
 * One JSON line: puts a second of each.
 */
import { MessageStore, type StoreMessage } from '../../ts/index.js'

const [directory = '', ...numbers] = process.argv.slice(2)
const [topics = 0, messages = 0, batch = 0] = numbers.map(Number)
const TURN = 16 * 1_024
const BODY = Buffer.alloc(128, 'x')
/** As queues_bench.rs calls them. */
const TOPIC_NAMES = Array.from({ length: topics }, (_, number) => `Topic-${number}`)

function message(index: number, topicCount: number): StoreMessage {
  const topic = TOPIC_NAMES[(index >>> 2) % topicCount] ?? ''
  return { topic, queueId: index & 3, body: BODY, keys: `key-${index}` }
}

async function put(store: MessageStore, from: number, topicCount: number): Promise<void> {
  for (let index = from; index < from + TURN; index += batch) {
    if (batch === 1) await store.put(message(index, topicCount))
    else await store.putBatch(Array.from({ length: batch }, (_, i) => message(index + i, topicCount)))
  }
}

async function main(): Promise<void> {
  await using store = await MessageStore.open({ directory })
  const sides = [1, topics].map(topicCount => ({ topicCount, messages: 0, ms: 0 }))
  // The first round looks up the queues, and the code is compiled as it runs.
  const warmup = Math.max(4 * topics, 200_000)
  for (let sent = 0; sent < messages + warmup; sent += TURN) {
    for (const side of sides) {
      const start = performance.now()
      await put(store, sent, side.topicCount)
      if (sent < warmup) continue
      side.ms += performance.now() - start
      side.messages += TURN
    }
  }
  const [four, many] = sides.map(side => Math.round((side.messages / side.ms) * 1_000))
  console.log(JSON.stringify({ perSecond: many, toFourPerSecond: four }))
}

void main()
