import { MessageSysFlag } from '../message/sys-flag.js'
import type { Message } from '../message/message.js'
import type { MessageExt } from '../message/message-ext.js'
import type { SendResult } from './types.js'

/** How a local transaction ended (`client/producer/LocalTransactionState.java`). */
export const LocalTransactionState = {
  /** The message is delivered. */
  COMMIT_MESSAGE: 'COMMIT_MESSAGE',
  /** The message is forgotten. */
  ROLLBACK_MESSAGE: 'ROLLBACK_MESSAGE',
  /** Nobody knows yet; the broker asks later. Apache's spelling. */
  UNKNOW: 'UNKNOW',
  /** The same as `UNKNOW`, spelt in full. */
  UNKNOWN: 'UNKNOW'
} as const
/** One of {@link LocalTransactionState}. */
export type LocalTransactionState = (typeof LocalTransactionState)[keyof typeof LocalTransactionState]

/** What a local transaction gives back; nothing stands for `UNKNOW`, as Java's null does. */
export type LocalTransactionOutcome = LocalTransactionState | undefined | void

/**
 * Runs a local transaction after its half message was stored. The message has its `transactionId`.
 *
 * @typeParam Result what it returns: the outcome, a promise of it, or either
 */
export type ExecuteLocalTransaction<
  A = unknown,
  Result = LocalTransactionOutcome | Promise<LocalTransactionOutcome>
> = (message: Message, arg: A) => Result

/**
 * Knows about the local transactions of a producer group (`client/producer/TransactionListener.java`). In TypeScript, one that
 * has a synchronous function and an `async` one returns `LocalTransactionState.COMMIT_MESSAGE` rather than the text.
 *
 * @typeParam Result what its functions return: the outcome, a promise of it, or either
 */
export interface TransactionListener<A = unknown, Result = LocalTransactionOutcome | Promise<LocalTransactionOutcome>> {
  /** Needed unless every send brings a local transaction of its own. Throwing stands for `UNKNOW`. */
  executeLocalTransaction?: ExecuteLocalTransaction<A, Result>
  /**
   * Tells a broker that did not hear, or heard `UNKNOW`, how a transaction ended. It may be that of another producer of
   * the group, one that crashed for example: look it up where its outcome is kept, by `message.transactionId` or the keys.
   * Throwing stands for `UNKNOW`; the broker asks again.
   */
  checkLocalTransaction(message: MessageExt): Result
}

/** What a local transaction of a listener may be given with its message. */
export type TransactionArgument =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  // Of all objects only functions have this; a function would be taken for the local transaction.
  | ((object | { readonly [name: string]: unknown }) & { readonly [Symbol.hasInstance]?: never })

/** The answer to a message sent in a transaction (`client/producer/TransactionSendResult.java`). */
export interface TransactionSendResult extends SendResult {
  /** What the broker was told. */
  readonly localTransactionState: LocalTransactionState
  /** What the local transaction threw, which left it `UNKNOW`. */
  readonly localTransactionError: Error | undefined
}

/** The number that END_TRANSACTION has for a state (`common/sysflag/MessageSysFlag.java`). */
export function commitOrRollback(state: LocalTransactionState): number {
  switch (state) {
    case LocalTransactionState.COMMIT_MESSAGE:
      return MessageSysFlag.TRANSACTION_COMMIT
    case LocalTransactionState.ROLLBACK_MESSAGE:
      return MessageSysFlag.TRANSACTION_ROLLBACK
    default:
      return 0
  }
}
