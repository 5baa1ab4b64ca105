import type { RocketMQError } from '../errors.js'
import { ProtocolError } from '../errors.js'
import type { BatchEncoder } from '../message/batch.js'
import { KEY_SEPARATOR } from '../message/properties.js'
import { tell } from './pending-send.js'
import { partOf } from './send-batch.js'
import type { SendCallback, SendResult } from './types.js'

type Resolve = (result: SendResult) => void
type Reject = (error: RocketMQError) => void

let newResolve: Resolve
let newReject: Reject
/** One function for all promises instead of a closure each; a promise calls it while it is made. */
const capture = (resolve: Resolve, reject: Reject): void => {
  newResolve = resolve
  newReject = reject
}

/** Messages that travel together, and who waits for them: promises or callbacks, never both. */
export class AccumulatedBatch {
  readonly #msgIds: string[] = []
  readonly #resolves: Resolve[] = []
  readonly #rejects: Reject[] = []
  readonly #callbacks: SendCallback[] = []
  #keys: Set<string> | undefined
  #keysLength = 0

  /**
   * @param startMs when its first message was sent
   * @param encoder where its messages are
   */
  constructor(
    readonly startMs: number,
    readonly encoder: BatchEncoder
  ) {}

  /** Messages in it. */
  get count(): number {
    return this.#msgIds.length
  }

  /** The keys of all its messages. */
  get keys(): ReadonlySet<string> | undefined {
    return this.#keys
  }

  /** The most bytes that its keys may take with these added. */
  keysBytesAtMost(keys: string): number {
    return (this.#keysLength + keys.length + 1) * 3
  }

  /** Adds the keys of one message. */
  addKeys(keys: string): void {
    this.#keys ??= new Set()
    this.#keysLength += keys.length + 1
    for (const key of keys.split(KEY_SEPARATOR)) if (key !== '') this.#keys.add(key)
  }

  /** One more who waits: the callback, or the promise that is returned. */
  add(msgId: string, callback: SendCallback | undefined): Promise<SendResult> | undefined {
    this.#msgIds.push(msgId)
    if (callback !== undefined) {
      this.#callbacks.push(callback)
      return undefined
    }
    const promise = new Promise<SendResult>(capture)
    this.#resolves.push(newResolve)
    this.#rejects.push(newReject)
    return promise
  }

  /**
   * Gives each message its part of the result (`ProduceAccumulator.java#splitSendResults`). A topic with queues of type
   * BatchCQ stores the batch as one message: its messages share an offset id. Java gives them one result there; here they
   * have their own msgId and queueOffset, those that a consumer sees.
   *
   * @param result that of the batch; it has a msgId only when the broker gave one, which it does for BatchCQ
   */
  succeed(result: SendResult): void {
    const msgIds = this.#msgIds
    const offsetMsgIds = result.msgId === '' ? result.offsetMsgId.split(',') : undefined
    if (offsetMsgIds !== undefined && offsetMsgIds.length !== msgIds.length) {
      const { brokerName } = result.messageQueue
      this.fail(
        new ProtocolError(
          `broker ${brokerName} answered a batch of ${msgIds.length} messages with ${offsetMsgIds.length} ids`
        )
      )
      return
    }
    for (let index = 0; index < msgIds.length; index++) {
      this.#settle(index, partOf(result, index, msgIds[index]!, offsetMsgIds?.[index] ?? result.offsetMsgId))
    }
  }

  /** Tells everybody that the batch was not sent. */
  fail(error: RocketMQError): void {
    for (const reject of this.#rejects) reject(error)
    for (const callback of this.#callbacks) tell(callback, error, undefined)
  }

  #settle(index: number, result: SendResult): void {
    if (this.#resolves.length > 0) this.#resolves[index]!(result)
    else tell(this.#callbacks[index]!, undefined, result)
  }
}
