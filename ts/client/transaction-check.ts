import type { ErrorReporter } from '../diagnostics.js'
import { ProtocolError, toError } from '../errors.js'
import type { MessageExt } from '../message/message-ext.js'
import { MessageConst } from '../message/properties.js'
import { viewRecord } from '../message/view-record.js'
import type { RemotingCommand, RemotingResponse } from '../remoting/types.js'

/** A broker asks how a transaction ended (`remoting/protocol/header/CheckTransactionStateRequestHeader.java`). */
export interface TransactionCheck {
  /** Who asks, `host:port`. */
  readonly address: string
  /** The half message. */
  readonly message: MessageExt
  /** Where the half message is now: each check moves it. */
  readonly tranStateTableOffset: string
  readonly commitLogOffset: string
  readonly transactionId: string | undefined
  readonly bname: string | undefined
}

/** Looks after the checks of one producer group; returns at once. */
export type TransactionCheckHandler = (check: TransactionCheck) => void

/**
 * CHECK_TRANSACTION_STATE (39): hands the check to the producer of the group that is named in the half message
 * (`impl/ClientRemotingProcessor.java#checkTransactionState`). The broker waits for no answer; it hears of the state by
 * END_TRANSACTION, or asks again.
 *
 * @param handlers by producer group
 */
export function receiveTransactionCheck(
  handlers: ReadonlyMap<string, TransactionCheckHandler>,
  report: ErrorReporter,
  address: string,
  request: RemotingCommand
): RemotingResponse {
  try {
    const check = decodeCheck(address, request)
    // A group that is not here (any more) is answered for by another of its members.
    handlers.get(check.message.getProperty(MessageConst.PRODUCER_GROUP) ?? '')?.(check)
  } catch (error) {
    report(toError(error), `the check of a transaction by ${address}`)
  }
  return { code: 0 }
}

function decodeCheck(address: string, { extFields, body }: RemotingCommand): TransactionCheck {
  const { tranStateTableOffset, commitLogOffset, transactionId, bname } = extFields
  if (tranStateTableOffset === undefined || commitLogOffset === undefined) {
    throw new ProtocolError(`${address} asked for a transaction without tranStateTableOffset or commitLogOffset`)
  }
  const message = viewRecord(body, { brokerName: bname ?? '', transactionCheck: true })
  return { address, message, tranStateTableOffset, commitLogOffset, transactionId, bname }
}
