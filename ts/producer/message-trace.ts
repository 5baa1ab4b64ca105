import { withoutNamespace } from '../client/namespace.js'
import { CLIENT_OPTIONS } from '../client/client-config.js'
import type { ErrorReporter } from '../diagnostics.js'
import type { TraceSender } from '../trace/async-trace-dispatcher.js'
import { AsyncTraceDispatcher, MAX_TRACE_BYTES } from '../trace/async-trace-dispatcher.js'
import { TRACE_GROUP_PREFIX } from '../trace/trace-context.js'
import { MessageType } from '../message/message-type.js'
import type { EndTransactionContext, EndTransactionHook, SendMessageContext, SendMessageHook } from './hooks.js'
import type { ProducerConfig, ProducerOptions } from './options.js'
import type { Producer } from './producer.js'
import { SendStatus } from './types.js'

/** Time allowed for a trace message (`AsyncTraceDispatcher.java#getAndCreateTraceProducer`). */
const SEND_TIMEOUT_MS = 5000
const DEFAULT_REGION = 'DefaultRegion'

/** Of the producers of trace messages, in this process (`AsyncTraceDispatcher.java#COUNTER`). */
let traceProducers = 0

/**
 * The options of the producer that sends the trace messages of another: the same cluster and account, a group and an
 * instance of its own, which all traced producers of these name servers share.
 *
 * @param given the options of the traced producer, as the user gave them
 */
export function traceProducerOptions<Body>(
  given: ProducerOptions<Body>,
  nameServers: readonly string[]
): ProducerOptions {
  const options: Record<string, unknown> = {}
  for (const name of Object.keys(CLIENT_OPTIONS)) {
    const value = given[name as keyof ProducerOptions<Body>]
    if (value !== undefined) options[name] = value
  }
  return {
    ...options,
    producerGroup: `${TRACE_GROUP_PREFIX}-${given.producerGroup}-PRODUCE-${++traceProducers}`,
    instanceName: `PID_CLIENT_INNER_TRACE_PRODUCER_${nameServers.join(';')}`,
    vipChannelEnabled: false,
    sendMsgTimeout: SEND_TIMEOUT_MS,
    maxMessageSize: MAX_TRACE_BYTES
  }
}

/** Sends trace messages by a producer, as Java does: asynchronously, round robin. */
export class ProducerTraceSender implements TraceSender {
  readonly #producer: Producer

  constructor(producer: Producer) {
    this.#producer = producer
  }

  start(): Promise<void> {
    return this.#producer.start()
  }

  send(topic: string, body: Buffer, keys: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#producer.send({ topic, body, keys }, error => (error === undefined ? resolve() : reject(error)))
    })
  }

  shutdown(signal: AbortSignal | undefined): Promise<void> {
    return this.#producer.shutdown(signal === undefined ? {} : { signal })
  }
}

/** The dispatcher of a producer's trace records. */
export function producerTraceDispatcher(
  config: ProducerConfig,
  sender: Producer,
  report: ErrorReporter
): AsyncTraceDispatcher {
  return new AsyncTraceDispatcher(config, new ProducerTraceSender(sender), report)
}

/** What is known when an attempt begins. */
class BegunTrace {
  constructor(
    readonly timeStamp: number,
    readonly topic: string,
    readonly tags: string | undefined,
    readonly keys: string | undefined
  ) {}
}

/** Traces what is sent (`client/trace/hook/SendMessageTraceHookImpl.java`). */
export class SendMessageTraceHook implements SendMessageHook {
  readonly hookName = 'SendMessageTraceHook'
  readonly #dispatcher: AsyncTraceDispatcher

  constructor(dispatcher: AsyncTraceDispatcher) {
    this.#dispatcher = dispatcher
  }

  sendMessageBefore(context: SendMessageContext): void {
    const { tags, keys } = context.message
    const topic = plainName(context.namespace, context.message.topic)
    if (topic.startsWith(this.#dispatcher.traceTopicName)) return
    context.mqTraceContext = new BegunTrace(Date.now(), topic, tags, keys)
  }

  /** Attempts without an answer leave no record, as in Java. */
  sendMessageAfter(context: SendMessageContext): void {
    const { sendResult, mqTraceContext: begun } = context
    if (!(begun instanceof BegunTrace) || sendResult === undefined || !sendResult.traceOn) return
    this.#dispatcher.append({
      traceType: 'Pub',
      timeStamp: begun.timeStamp,
      regionId: sendResult.regionId,
      groupName: plainName(context.namespace, context.producerGroup),
      topic: begun.topic,
      msgId: sendResult.msgId,
      tags: begun.tags,
      keys: begun.keys,
      storeHost: context.brokerAddr,
      bodyLength: context.bodyBytes,
      costTime: Date.now() - begun.timeStamp,
      msgType: context.msgType,
      offsetMsgId: sendResult.offsetMsgId,
      success: sendResult.sendStatus === SendStatus.SEND_OK
    })
  }
}

/** Traces the ends of transactions (`client/trace/hook/EndTransactionTraceHookImpl.java`). */
export class EndTransactionTraceHook implements EndTransactionHook {
  readonly hookName = 'EndTransactionTraceHook'
  readonly #dispatcher: AsyncTraceDispatcher
  readonly #namespace: string | undefined

  constructor(dispatcher: AsyncTraceDispatcher, namespace: string | undefined) {
    this.#dispatcher = dispatcher
    this.#namespace = namespace
  }

  endTransaction(context: EndTransactionContext): void {
    const { message } = context
    if (message.topic.startsWith(this.#dispatcher.traceTopicName)) return
    this.#dispatcher.append({
      traceType: 'EndTransaction',
      timeStamp: Date.now(),
      // Messages that the broker gives back have it.
      regionId: message.getProperty('MSG_REGION') ?? DEFAULT_REGION,
      groupName: plainName(this.#namespace, context.producerGroup),
      topic: plainName(this.#namespace, message.topic),
      msgId: context.msgId,
      tags: message.tags,
      keys: message.keys,
      storeHost: context.brokerAddr,
      msgType: MessageType.Trans_msg_Commit,
      transactionId: context.transactionId,
      transactionState: context.transactionState,
      fromTransactionCheck: context.fromTransactionCheck
    })
  }
}

/** Traces do not have namespaces. */
function plainName(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : withoutNamespace(namespace, name)
}
