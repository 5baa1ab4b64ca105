/**
 * `node --expose-gc build/benches/e2e/memory.js [messages] [single|auto|batch]`: sends ten million messages to our broker in a
 * process of its own and shows, after each million, what the client holds when its garbage is collected. Fails when
 * that grew from the second million to the last.
 */
import { NativeServer } from '../../__test__/interop/helpers/native-server.js'
import { Producer } from '../../ts/index.js'

const IN_FLIGHT = 1_024
const BODY = Buffer.alloc(16, 'm')
const TOPIC = 'Memory'
/** What a heap may differ by after equal work, for compiled code that comes and goes. */
const HEAP_NOISE_MB = 4
const RESIDENT_NOISE_MB = 24

interface Held {
  readonly heapMb: number
  readonly externalMb: number
  readonly residentMb: number
}

async function heldNow(): Promise<Held> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc!()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapMb: heapUsed / 2 ** 20, externalMb: external / 2 ** 20, residentMb: rss / 2 ** 20 }
}

async function sendMany(producer: Producer, count: number, batchSize: number): Promise<void> {
  const message = { topic: TOPIC, tags: 'TagA', body: BODY }
  const given = batchSize === 1 ? message : Array.from({ length: batchSize }, () => message)
  let left = count
  const sender = async () => {
    for (left -= batchSize; left >= 0; left -= batchSize) await producer.send(given)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT / batchSize }, sender))
}

async function main(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('run it with node --expose-gc')
  const total = Number(process.argv[2] ?? 10_000_000)
  const grouping = process.argv[3] ?? 'single'
  await using server = await NativeServer.start()
  await using producer = new Producer({
    namesrvAddr: `127.0.0.1:${server.nameServerPort}`,
    producerGroup: 'memory',
    autoBatch: grouping === 'auto'
  })
  await producer.start()
  const part = total / 10
  const held: Held[] = []
  for (let done = 1; done <= 10; done++) {
    await sendMany(producer, part, grouping === 'batch' ? 32 : 1)
    const now = await heldNow()
    held.push(now)
    const { heapMb, externalMb, residentMb } = now
    const figures = `heap ${heapMb.toFixed(1)} MB, external ${externalMb.toFixed(1)} MB, resident ${residentMb.toFixed(0)} MB`
    process.stdout.write(`${(done * part).toLocaleString('en-US')} sent ${grouping}: ${figures}\n`)
  }
  const [early, late] = [held[1]!, held.at(-1)!]
  if (late.heapMb - early.heapMb > HEAP_NOISE_MB) throw new Error('the heap grew')
  if (late.residentMb - early.residentMb > RESIDENT_NOISE_MB) throw new Error('the resident memory grew')
}

void main()
