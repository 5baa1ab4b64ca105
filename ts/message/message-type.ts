import type { Message } from './message.js'
import { MessageConst } from './properties.js'

/** What kind of message it is, for hooks and traces (`common/message/MessageType.java`, in its order). */
export const MessageType = {
  Normal_Msg: 'Normal_Msg',
  /** The half message of a transaction. */
  Trans_Msg_Half: 'Trans_Msg_Half',
  /** The end of a transaction. */
  Trans_msg_Commit: 'Trans_msg_Commit',
  /** Delivered later: by level, after a time, or at one. */
  Delay_Msg: 'Delay_Msg',
  Order_Msg: 'Order_Msg'
} as const
/** One of {@link MessageType}. */
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

const DELAYS = [
  '__STARTDELIVERTIME',
  MessageConst.DELAY,
  MessageConst.TIMER_DELIVER_MS,
  MessageConst.TIMER_DELAY_SEC,
  MessageConst.TIMER_DELAY_MS
]

/** The kind of a message that is sent (`impl/producer/DefaultMQProducerImpl.java#sendKernelImpl`). */
export function messageTypeOf(message: Message): MessageType {
  if (DELAYS.some(name => message.getProperty(name) !== undefined)) return MessageType.Delay_Msg
  return message.getProperty('TRAN_MSG') === 'true' ? MessageType.Trans_Msg_Half : MessageType.Normal_Msg
}
