import type { ClientInstance } from '../client/client-instance.js'
import type { ErrorReporter } from '../diagnostics.js'
import type { RocketMQError } from '../errors.js'
import { InvalidArgumentError, toError } from '../errors.js'
import { localAddress } from '../message/local-address.js'
import type { MessageType } from '../message/message-type.js'
import type { MessageExt } from '../message/message-ext.js'
import type { Message } from '../message/message.js'
import type { MessageQueue } from '../message/message-queue.js'
import type { ProducerConfig } from './options.js'
import type { SendResult } from './types.js'

/** How a message is sent (`impl/CommunicationMode.java`): with a promise, with a callback, without an answer. */
export type CommunicationMode = 'SYNC' | 'ASYNC' | 'ONEWAY'

/** What a {@link CheckForbiddenHook} decides by (`client/hook/CheckForbiddenContext.java`). */
export interface CheckForbiddenContext {
  /** The name servers, `;` between them. */
  readonly nameSrvAddr: string
  /** The producer group. */
  readonly group: string
  /** As in {@link SendMessageContext.message}. */
  readonly message: Message
  /** The queue it is to be sent to. */
  readonly mq: MessageQueue
  /** `host:port` of the broker. */
  readonly brokerAddr: string
  readonly communicationMode: CommunicationMode
  readonly unitMode: boolean
}

/** Asked before each attempt whether it may be made (`client/hook/CheckForbiddenHook.java`). */
export interface CheckForbiddenHook {
  /** For error texts. */
  readonly hookName: string
  /**
   * Throws to forbid: the send fails at once with an InvalidArgumentError whose cause it is. (Java tries again as after
   * a failure of the broker, and asks again each time.) Must decide synchronously.
   */
  checkForbidden(context: CheckForbiddenContext): void
}

/** What is known of one attempt to send (`client/hook/SendMessageContext.java`). */
export interface SendMessageContext {
  readonly producerGroup: string
  /**
   * A copy of the message as it was given, with the unique id it is sent under (property `UNIQ_KEY`). Properties that a
   * hook adds before the send are sent with it. For a batch, the batch as one. Its topic, and that of `mq`, are without
   * the namespace, as the user knows them (Java's hooks are told `namespace%topic`).
   */
  readonly message: Message
  readonly mq: MessageQueue
  /** `host:port` of the broker. */
  readonly brokerAddr: string
  /** The address the client calls itself by. */
  readonly bornHost: string
  readonly communicationMode: CommunicationMode
  readonly msgType: MessageType
  /** The namespace of the producer, if it has one. */
  readonly namespace: string | undefined
  /** Bytes of the body as it is sent: compressed, if it is. */
  readonly bodyBytes: number
  /** Afterwards: the answer of the broker. Undefined after oneway sends, and when there was none. */
  sendResult: SendResult | undefined
  /** Afterwards: why there is no answer. */
  exception: RocketMQError | undefined
  /** What a hook wants to find again afterwards; one place for all hooks, as in Java. */
  mqTraceContext: unknown
  /** The same by names. */
  props: Map<string, string> | undefined
}

/**
 * Told before and after each attempt of a send with a promise, and once of a send with a callback, its retries included,
 * or without an answer (`client/hook/SendMessageHook.java`). What it throws is reported and changes nothing.
 */
export interface SendMessageHook {
  /** For error texts. */
  readonly hookName: string
  /** Before the request is made. */
  sendMessageBefore(context: SendMessageContext): void
  /** After the answer, or what came instead; with the same context. */
  sendMessageAfter(context: SendMessageContext): void
}

/** How a local transaction ended (`client/producer/LocalTransactionState.java`). */
export type EndTransactionState = 'COMMIT_MESSAGE' | 'ROLLBACK_MESSAGE' | 'UNKNOW'

/** The end of a transaction (`client/hook/EndTransactionContext.java`). */
export interface EndTransactionContext {
  readonly producerGroup: string
  /** As it was sent, or as the broker gave it back to ask. */
  readonly message: Message | MessageExt
  readonly brokerAddr: string
  readonly msgId: string
  readonly transactionId: string | undefined
  readonly transactionState: EndTransactionState
  /** Whether the broker asked for it. */
  readonly fromTransactionCheck: boolean
}

/** Told when a transaction is ended (`client/hook/EndTransactionHook.java`). What it throws is reported. */
export interface EndTransactionHook {
  /** For error texts. */
  readonly hookName: string
  endTransaction(context: EndTransactionContext): void
}

/** Who the hooks belong to: what all their contexts have in common. */
export interface HookOwner {
  readonly producerGroup: string
  readonly nameSrvAddr: string
  readonly bornHost: string
  readonly unitMode: boolean
  readonly namespace: string | undefined
  /** Told what hooks throw. */
  readonly report: ErrorReporter
}

/** What the hooks of a producer are told of it. */
export function hookOwner(config: ProducerConfig, instance: ClientInstance): HookOwner {
  return {
    producerGroup: config.producerGroup,
    nameSrvAddr: instance.nameServerApi.nameServers.addresses.join(';'),
    bornHost: config.clientIP ?? localAddress(),
    unitMode: config.unitMode,
    namespace: config.namespace,
    report: instance.report
  }
}

/** The hooks of a producer (`impl/producer/DefaultMQProducerImpl.java`, `#register…Hook`, `#execute…Hook`). */
export class ProducerHooks {
  /** Whether a send has anybody to tell. */
  any = false
  readonly #sendMessage: SendMessageHook[] = []
  readonly #checkForbidden: CheckForbiddenHook[] = []
  readonly #endTransaction: EndTransactionHook[] = []

  /** Adds a hook around sends. @throws InvalidArgumentError when it is none */
  addSendMessageHook(hook: SendMessageHook): void {
    checkHook('SendMessageHook', hook, ['sendMessageBefore', 'sendMessageAfter'])
    this.#sendMessage.push(hook)
    this.any = true
  }

  /** Adds a hook that may forbid sends. @throws InvalidArgumentError when it is none */
  addCheckForbiddenHook(hook: CheckForbiddenHook): void {
    checkHook('CheckForbiddenHook', hook, ['checkForbidden'])
    this.#checkForbidden.push(hook)
    this.any = true
  }

  /** Adds a hook behind the ends of transactions. @throws InvalidArgumentError when it is none */
  addEndTransactionHook(hook: EndTransactionHook): void {
    checkHook('EndTransactionHook', hook, ['endTransaction'])
    this.#endTransaction.push(hook)
  }

  /** Whether the end of a transaction has anybody to tell. */
  get anyEndTransaction(): boolean {
    return this.#endTransaction.length > 0
  }

  /** @throws InvalidArgumentError when a hook forbids it (`#executeCheckForbiddenHook`) */
  checkForbidden(context: CheckForbiddenContext): void {
    for (const hook of this.#checkForbidden) {
      try {
        const returned: unknown = hook.checkForbidden(context)
        if (returned instanceof Promise) {
          returned.catch(() => undefined)
          throw new InvalidArgumentError('it answered with a promise, which comes too late; it must throw')
        }
      } catch (error) {
        const { mq, brokerAddr } = context
        const what = `the hook ${hook.hookName} forbids to send to ${mq.toString()} at ${brokerAddr}`
        throw new InvalidArgumentError(`${what}: ${toError(error).message}`, { cause: error })
      }
    }
  }

  /** `#executeSendMessageHookBefore` */
  before(context: SendMessageContext, report: ErrorReporter): void {
    for (const hook of this.#sendMessage) {
      try {
        hook.sendMessageBefore(context)
      } catch (error) {
        reportTo(report, toError(error), `hook ${hook.hookName} before a send`)
      }
    }
  }

  /** `#executeSendMessageHookAfter` */
  after(context: SendMessageContext, report: ErrorReporter): void {
    for (const hook of this.#sendMessage) {
      try {
        hook.sendMessageAfter(context)
      } catch (error) {
        reportTo(report, toError(error), `hook ${hook.hookName} after a send`)
      }
    }
  }

  /** `#executeEndTransactionHook` */
  endTransaction(context: EndTransactionContext, report: ErrorReporter): void {
    for (const hook of this.#endTransaction) {
      try {
        hook.endTransaction(context)
      } catch (error) {
        reportTo(report, toError(error), `hook ${hook.hookName} after the end of a transaction`)
      }
    }
  }
}

function checkHook<Hook extends object>(kind: string, hook: Hook, methods: readonly (keyof Hook & string)[]): void {
  const has = (name: keyof Hook): boolean => typeof hook?.[name] === 'function'
  if (!methods.every(has)) throw new InvalidArgumentError(`a ${kind} must have the methods ${methods.join(' and ')}`)
}

/** Tells of what a hook threw; what the user's reporter throws in turn is an uncaught exception, and no send's business. */
function reportTo(report: ErrorReporter, error: Error, doing: string): void {
  try {
    report(error, doing)
  } catch (thrown) {
    process.nextTick(() => {
      throw thrown
    })
  }
}
