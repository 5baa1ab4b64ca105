/** Our push consumer, for messages that are told apart by their texts. */
import { type MessageExt, PushConsumer } from '../../../ts/index.js'
import { until } from './until.js'

/** A consumer that is started, and what it has received. It reads the topic from the first message. */
export class TextConsumer {
  readonly received: MessageExt[] = []
  readonly #consumer: PushConsumer

  private constructor(namesrvAddr: string, topic: string) {
    this.#consumer = new PushConsumer({
      namesrvAddr,
      consumerGroup: `texts_${topic}`,
      consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET'
    })
    this.#consumer.subscribe(topic)
    this.#consumer.registerMessageListener(messages => {
      this.received.push(...messages.map(message => message.clone()))
    })
  }

  static async start(namesrvAddr: string, topic: string): Promise<TextConsumer> {
    const consumer = new TextConsumer(namesrvAddr, topic)
    await consumer.#consumer.start()
    return consumer
  }

  /** The texts received so far, in order. */
  get texts(): string[] {
    return this.received.map(message => message.body.toString())
  }

  /** Waits for the message with this text. */
  untilReceived(text: string): Promise<MessageExt> {
    return until(`${text} is received`, () => this.received.find(message => message.body.toString() === text))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#consumer.shutdown()
  }
}
