import type { RocketMQError } from '../errors.js'
import { ProtocolError } from '../errors.js'
import type { BatchEncoder } from '../message/batch.js'
import { uniqueIdTail } from '../message/message-id.js'
import { KEY_SEPARATOR } from '../message/properties.js'
import type { ResultListener } from './callback.js'
import { partOf } from './send-batch.js'
import type { SendResult } from './types.js'

type Resolve = (result: SendResult | Promise<never>) => void

let newResolve: Resolve
/** One function for all promises instead of a closure each; a promise calls it while it is made. */
const capture = (resolve: Resolve): void => {
  newResolve = resolve
}

/**
 * Messages that travel together, and who waits for them: promises or callbacks, never both. Thousands may wait, and each
 * collection of garbage copies what is kept for them: so no id is a text yet, and of a promise only one function is kept.
 */
export class AccumulatedBatch {
  readonly #idHeads: string[] = []
  readonly #idCounts: number[] = []
  readonly #resolves: Resolve[] = []
  readonly #callbacks: ResultListener<SendResult>[] = []
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
    return this.#idCounts.length
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

  /**
   * One more who waits: the callback, or the promise that is returned.
   *
   * @param idHead and `idCount`: the message's unique id (`uniqueIdHead`, `nextUniqueCount`)
   */
  add(
    idHead: string,
    idCount: number,
    callback: ResultListener<SendResult> | undefined
  ): Promise<SendResult> | undefined {
    this.#idHeads.push(idHead)
    this.#idCounts.push(idCount)
    if (callback !== undefined) {
      this.#callbacks.push(callback)
      return undefined
    }
    const promise = new Promise<SendResult>(capture)
    this.#resolves.push(newResolve)
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
    const { count } = this
    const offsetMsgIds = result.msgId === '' ? result.offsetMsgId.split(',') : undefined
    if (offsetMsgIds !== undefined && offsetMsgIds.length !== count) {
      const { brokerName } = result.messageQueue
      this.fail(
        new ProtocolError(`broker ${brokerName} answered a batch of ${count} messages with ${offsetMsgIds.length} ids`)
      )
      return
    }
    for (let index = 0; index < count; index++) {
      const offsetMsgId = offsetMsgIds?.[index] ?? result.offsetMsgId
      this.#settle(index, partOf(result, index, this.#msgId(index), offsetMsgId))
    }
  }

  /** Tells everybody that the batch was not sent. */
  fail(reason: RocketMQError): void {
    for (let index = 0; index < this.count; index++) this.failAlone(index, reason)
  }

  /** Gives one message the result it had by itself. */
  succeedAlone(index: number, result: SendResult): void {
    this.#settle(index, partOf(result, 0, this.#msgId(index), result.offsetMsgId))
  }

  /** Tells whoever waits for one message that it was not sent. */
  failAlone(index: number, reason: RocketMQError): void {
    if (this.#resolves.length > 0) this.#resolves[index]!(Promise.reject(reason))
    else this.#callbacks[index]!.tell(reason, undefined)
  }

  #msgId(index: number): string {
    return this.#idHeads[index]! + uniqueIdTail(this.#idCounts[index]!)
  }

  #settle(index: number, result: SendResult): void {
    if (this.#resolves.length > 0) this.#resolves[index]!(result)
    else this.#callbacks[index]!.tell(undefined, result)
  }
}
