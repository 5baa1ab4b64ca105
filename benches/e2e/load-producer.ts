import { randomBytes } from 'node:crypto'
import { Producer, type SendCallback } from '../../ts/index.js'
import type { SendOutcome } from './load.js'
import { BATCH_SIZE, type SendMeasure } from './measures.js'
import { mainThreadSeconds } from './process-usage.js'

type Counted = Omit<SendOutcome, 'seconds'>

/** Sends and counts the messages that the broker acknowledged. */
export class LoadProducer {
  readonly #producer: Producer
  readonly #batching: Producer
  readonly #topic: string
  readonly #body: Buffer

  constructor(nameServer: string, topic: string, bodyBytes: number) {
    this.#topic = topic
    this.#body = randomBytes(bodyBytes)
    const options = { namesrvAddr: nameServer, sendMsgTimeout: 10_000 }
    this.#producer = new Producer({ ...options, producerGroup: 'load_producer' })
    this.#batching = new Producer({ ...options, producerGroup: 'load_batching', autoBatch: true })
  }

  async start(): Promise<void> {
    await Promise.all([this.#producer.start(), this.#batching.start()])
  }

  async shutdown(): Promise<void> {
    await Promise.all([this.#producer.shutdown(), this.#batching.shutdown()])
  }

  /** Sends for so many seconds; see {@link SendMeasure} for the ways. */
  async send(measure: Omit<SendMeasure, 'name'>, seconds: number): Promise<SendOutcome> {
    const cpuBefore = mainThreadSeconds()
    const start = performance.now()
    const counted = await this.#sendUntil(measure, start + seconds * 1_000)
    const took = (performance.now() - start) / 1_000
    return { ...counted, seconds: took, mainThreadSeconds: mainThreadSeconds() - cpuBefore }
  }

  #sendUntil({ inFlight, style, grouping }: Omit<SendMeasure, 'name'>, end: number): Promise<Counted> {
    if (grouping === 'auto') return this.#sendForPromises(inFlight, end)
    if (grouping === 'batch') {
      const requests = inFlight / BATCH_SIZE
      return style === 'waiting' ? this.#sendBatchesWaiting(requests, end) : this.#sendBatches(requests, end)
    }
    return style === 'waiting' ? this.#sendWaiting(inFlight, end) : this.#sendPipelined(inFlight, end)
  }

  async #sendForPromises(inFlight: number, end: number): Promise<Counted> {
    let acked = 0
    const sender = async () => {
      while (performance.now() < end) {
        const sent = await this.#batching.send({ topic: this.#topic, tags: 'TagA', body: this.#body })
        if (sent.sendStatus !== 'SEND_OK') throw new Error(`${sent.sendStatus} of ${sent.msgId}`)
        acked++
      }
    }
    await Promise.all(Array.from({ length: inFlight }, sender))
    return { acked, failed: 0 }
  }

  #sendBatches(inFlight: number, end: number): Promise<Counted> {
    return pipelined(inFlight, end, BATCH_SIZE, ended =>
      this.#producer.send(this.#batch(this.#topic, BATCH_SIZE), ended)
    )
  }

  async #sendBatchesWaiting(senders: number, end: number): Promise<Counted> {
    let acked = 0
    const sender = async () => {
      while (performance.now() < end) {
        const { sendStatus } = await this.#producer.send(this.#batch(this.#topic, BATCH_SIZE))
        if (sendStatus !== 'SEND_OK') throw new Error(sendStatus)
        acked += BATCH_SIZE
      }
    }
    await Promise.all(Array.from({ length: senders }, sender))
    return { acked, failed: 0 }
  }

  #batch(topic: string, size: number) {
    const messages = []
    for (let i = 0; i < size; i++) messages.push({ topic, tags: 'TagA', body: this.#body })
    return messages
  }

  async #sendWaiting(senders: number, end: number): Promise<Counted> {
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

  #sendPipelined(inFlight: number, end: number): Promise<Counted> {
    const producer = this.#producer
    const topic = this.#topic
    const body = this.#body
    return pipelined(inFlight, end, 1, ended => producer.send({ topic, tags: 'TagA', body }, ended))
  }

  /** Leaves a backlog of `count` messages on a topic, in batches: how they got there is not measured. */
  async fill(topic: string, count: number): Promise<void> {
    for (let sent = 0; sent < count; sent += BATCH_SIZE) {
      await this.#producer.send(this.#batch(topic, Math.min(BATCH_SIZE, count - sent)))
    }
  }
}

/** Keeps so many requests of so many messages under way until the end; one callback serves all. */
function pipelined(
  inFlight: number,
  end: number,
  messages: number,
  send: (ended: SendCallback) => void
): Promise<Counted> {
  return new Promise(resolve => {
    let acked = 0
    let failed = 0
    let underWay = inFlight
    const ended: SendCallback = (error, sent) => {
      if (error || sent?.sendStatus !== 'SEND_OK') failed += messages
      else acked += messages
      if (performance.now() < end) send(ended)
      else if (--underWay === 0) resolve({ acked, failed })
    }
    for (let i = 0; i < inFlight; i++) send(ended)
  })
}
