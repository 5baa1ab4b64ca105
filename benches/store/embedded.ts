/**
 * `node build/benches/store/embedded.js [messages] [--json]`: the message store from JavaScript, on one thread. Rates, and CPU
 * time of all threads of the process for each message; the rates alone as one line with `--json`.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MessageExt, MessageStore, type StoreMessage } from '../../ts/index.js'

const MESSAGES = Number(process.argv[2] ?? 1_000_000)
const AS_JSON = process.argv.includes('--json')
const BATCH = 32
const TOPIC = 'Bench'
const BODY = Buffer.alloc(128, 'x')

function message(index: number): StoreMessage {
  return { topic: TOPIC, queueId: index & 3, body: BODY, keys: `key-${index}` }
}

async function measure(name: string, count: number, run: () => void | Promise<void>): Promise<number> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  const perSecond = Math.round((count / ms) * 1_000)
  const cpuUs = ((user + system) / count).toFixed(3)
  const rate = perSecond.toLocaleString('en-US')
  if (!AS_JSON) console.log(`${name.padEnd(34)}${rate.padStart(12)} msg/s${cpuUs.padStart(10)} us of CPU each`)
  return perSecond
}

async function putBatches(store: MessageStore, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += BATCH) {
    await store.putBatch(Array.from({ length: BATCH }, (_, i) => message(sent + i)))
  }
}

async function putSingly(store: MessageStore, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent++) await store.put(message(sent))
}

/** Reads body, numbers, topic and a property; returns something that depends on each. */
function fields(read: MessageExt): number {
  const { body, queueOffsetNumber, bornTimestamp, flag, topic, keys = '' } = read
  return body.length + queueOffsetNumber + bornTimestamp + flag + topic.length + keys.length
}

/** Reads the fields of every message; returns how many. */
function getAll(store: MessageStore): number {
  let read = 0
  let bytes = 0
  for (let queueId = 0; queueId < 4; queueId++) {
    const end = store.maxOffset(TOPIC, queueId).toNumber()
    for (let offset = 0; offset < end;) {
      const { messages, nextBeginOffset } = store.get({ topic: TOPIC, queueId, offset, maxCount: BATCH })
      for (const each of messages) bytes += fields(each)
      read += messages.length
      offset = nextBeginOffset.toNumber()
    }
  }
  if (bytes === 0) throw new Error('nothing was read')
  return read
}

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rocketmq-native-bench-'))
  try {
    await using store = await MessageStore.open({ directory })
    await putBatches(store, 100_000)
    await putSingly(store, 100_000)
    const batches = await measure(`put, batches of ${BATCH}`, MESSAGES, () => putBatches(store, MESSAGES))
    const singly = await measure('put, one by one', MESSAGES, () => putSingly(store, MESSAGES))
    getAll(store)
    const stored = 2 * (MESSAGES + 100_000)
    const gets = await measure(`get of ${BATCH}, fields read`, stored, () => void getAll(store))
    let iterated = 0
    await measure('async iteration over a queue', stored / 4, async () => {
      for await (const each of store.queue(TOPIC, 0)) iterated += each.bodyLength > 0 ? 1 : 0
    })
    if (iterated !== stored / 4) throw new Error(`${iterated} of ${stored / 4} messages came`)
    if (AS_JSON) console.log(JSON.stringify({ putBatches: batches, putSingly: singly, getAll: gets }))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

void main()
