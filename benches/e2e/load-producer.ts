import { randomBytes } from 'node:crypto'
import { Producer } from '../../ts/index.js'
import type { SendOutcome } from './load.js'
import type { SendMeasure } from './measures.js'

const BATCH_OF_FILL = 32

/** Sends one message a request and counts those the broker acknowledged. */
export class LoadProducer {
  readonly #producer: Producer
  readonly #topic: string
  readonly #body: Buffer

  constructor(nameServer: string, topic: string, bodyBytes: number) {
    this.#topic = topic
    this.#body = randomBytes(bodyBytes)
    this.#producer = new Producer({ namesrvAddr: nameServer, producerGroup: 'load_producer', sendMsgTimeout: 10_000 })
  }

  start(): Promise<void> {
    return this.#producer.start()
  }

  shutdown(): Promise<void> {
    return this.#producer.shutdown()
  }

  /** Sends for so many seconds; see {@link SendMeasure} for the styles. */
  async send(inFlight: number, style: SendMeasure['style'], seconds: number): Promise<SendOutcome> {
    const start = performance.now()
    const end = start + seconds * 1_000
    const outcome = await (style === 'waiting' ? this.#sendWaiting(inFlight, end) : this.#sendPipelined(inFlight, end))
    return { ...outcome, seconds: (performance.now() - start) / 1_000 }
  }

  async #sendWaiting(senders: number, end: number): Promise<Omit<SendOutcome, 'seconds'>> {
    const all = await Promise.all(Array.from({ length: senders }, () => this.#sendOneByOne(end)))
    const micros = Float64Array.from(all.flat()).sort()
    const percentile = (share: number) => micros[Math.floor(micros.length * share)] ?? NaN
    return {
      acked: micros.length,
      failed: 0,
      p50Us: percentile(0.5),
      p99Us: percentile(0.99),
      p999Us: percentile(0.999)
    }
  }

  async #sendOneByOne(end: number): Promise<number[]> {
    const micros: number[] = []
    for (let now = performance.now(); now < end;) {
      const sent = await this.#producer.send({ topic: this.#topic, tags: 'TagA', body: this.#body })
      const before = now
      now = performance.now()
      if (sent.sendStatus !== 'SEND_OK') throw new Error(`${sent.sendStatus} of ${sent.msgId}`)
      micros.push((now - before) * 1_000)
    }
    return micros
  }

  #sendPipelined(inFlight: number, end: number): Promise<Omit<SendOutcome, 'seconds'>> {
    const producer = this.#producer
    const topic = this.#topic
    const body = this.#body
    return new Promise(resolve => {
      let acked = 0
      let failed = 0
      let underWay = inFlight
      const sendOne = () =>
        producer.send({ topic, tags: 'TagA', body }, (error, sent) => {
          if (error || sent?.sendStatus !== 'SEND_OK') failed++
          else acked++
          if (performance.now() < end) sendOne()
          else if (--underWay === 0) resolve({ acked, failed })
        })
      for (let i = 0; i < inFlight; i++) sendOne()
    })
  }

  /** Leaves a backlog of `count` messages on a topic, in batches: how they got there is not measured. */
  async fill(topic: string, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += BATCH_OF_FILL) {
      const size = Math.min(BATCH_OF_FILL, count - sent)
      await this.#producer.send(Array.from({ length: size }, () => ({ topic, tags: 'TagA', body: this.#body })))
    }
  }
}
