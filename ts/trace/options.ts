import { bool, int, oneOf, optionalStr } from '../options.js'

/** Options of message trace (`client/ClientConfig.java`). */
export const TRACE_OPTIONS = {
  /** Whether to send a record of what is sent to the trace topic, for `mqadmin queryMsgTraceById` and dashboards. @default false */
  enableTrace: bool(false),
  /** The trace topic. @default 'RMQ_SYS_TRACE_TOPIC' */
  traceTopic: optionalStr(),
  /** Records in one message; at most 20 are taken, as in Java. @default 10 */
  traceMsgBatchNum: int(10, 1),
  /** With CLOUD the trace topic is that of the broker's region, `rmq_sys_TRACE_DATA_` and its name. @default 'LOCAL' */
  accessChannel: oneOf(['LOCAL', 'CLOUD'], 'LOCAL')
}
