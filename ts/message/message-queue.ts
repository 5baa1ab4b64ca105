/**
 * The header template that the sender with this number has kept with a queue. Where there are many queues it is found without
 * looking into more memory than that of the queue.
 */
export let templateOf: (mq: MessageQueue, sender: number) => number | undefined

/** Keeps a template with a queue, in place of another sender's. A number, as a queue that is kept must not keep its sender. */
export let keepTemplate: (mq: MessageQueue, sender: number, template: number) => void

/** One queue of a topic on one broker (`common/message/MessageQueue.java`). */
export class MessageQueue {
  /** The topic. */
  readonly topic: string
  /** Name of the broker (of its master and slaves together), not an address. */
  readonly brokerName: string
  /** Number of the queue on that broker, from 0. */
  readonly queueId: number
  #key: string | undefined
  #sender = 0
  #template = 0

  static {
    templateOf = (mq, sender) => (mq.#sender === sender ? mq.#template : undefined)
    keepTemplate = (mq, sender, template) => {
      mq.#sender = sender
      mq.#template = template
    }
  }

  constructor(topic: string, brokerName: string, queueId: number) {
    this.topic = topic
    this.brokerName = brokerName
    this.queueId = queueId
  }

  /** Equal for equal queues; for maps and sets. */
  get key(): string {
    return (this.#key ??= `${this.topic}@${this.brokerName}@${this.queueId}`)
  }

  /** The text Java prints for it. */
  toString(): string {
    return `MessageQueue [topic=${this.topic}, brokerName=${this.brokerName}, queueId=${this.queueId}]`
  }

  /** The members Apache writes in JSON bodies. */
  toJSON(): { brokerName: string; queueId: number; topic: string } {
    return { brokerName: this.brokerName, queueId: this.queueId, topic: this.topic }
  }
}

/** Order by topic, broker name, queue id (`common/message/MessageQueue.java#compareTo`). */
export function compareMessageQueues(a: MessageQueue, b: MessageQueue): number {
  return compareText(a.topic, b.topic) || compareText(a.brokerName, b.brokerName) || a.queueId - b.queueId
}

/** Order of UTF-16 units, which is that of Java's `String.compareTo`. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
