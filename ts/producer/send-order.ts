import type { MessageQueue } from '../message/message-queue.js'

/** A send that has its queue, and goes when those before it have gone. */
export interface HeldSend {
  /** Whether it may go as soon as it is the first. */
  readonly ready: boolean
  /** Lets it go; never throws. */
  go(): void
}

/**
 * Keeps the sends of a producer to one queue in the order of their calls while bodies are compressed off the main thread:
 * what is called behind a large message waits for it, if it goes to the same queue. Empty as long as nothing is compressed.
 */
export class SendOrder {
  readonly #held = new Map<string, HeldSend[]>()

  /** Whether nothing is held. */
  get empty(): boolean {
    return this.#held.size === 0
  }

  /** Whether a send to this queue has to wait. */
  holds(mq: MessageQueue): boolean {
    return this.#held.has(mq.key)
  }

  /** Holds a send back, behind those that are held for its queue already. */
  hold(mq: MessageQueue, send: HeldSend): void {
    const held = this.#held.get(mq.key)
    if (held === undefined) this.#held.set(mq.key, [send])
    else held.push(send)
  }

  /** Lets those go that are ready and have nobody before them. */
  release(mq: MessageQueue): void {
    const held = this.#held.get(mq.key)
    if (held === undefined) return
    const stop = held.findIndex(send => !send.ready)
    const ready = stop < 0 ? held : held.splice(0, stop)
    if (stop < 0) this.#held.delete(mq.key)
    for (const send of ready) send.go()
  }
}
