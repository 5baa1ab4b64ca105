/**
 * Apache RocketMQ for Node.js. The public names, one by one.
 *
 * @packageDocumentation
 */
export {
  AbortedError,
  BrokerError,
  BusyError,
  ClientErrorCode,
  ClientStateError,
  ConfigError,
  ConnectionError,
  InvalidArgumentError,
  NotSupportedError,
  ProtocolError,
  RocketMQError,
  RouteError,
  SendError,
  ServerError,
  StoreError,
  TimeoutError,
  WriteError
} from './errors.js'
export type { ErrorCode, SendAttempt } from './errors.js'
export type { ClientEvent, ErrorReporter, Logger } from './diagnostics.js'

export { Message } from './message/message.js'
export type { MessageInit } from './message/message.js'
export { MessageExt } from './message/message-ext.js'
export { jsonSerializer } from './message/serializer.js'
export type { MessageBody, Serializer } from './message/serializer.js'
export { MessageType } from './message/message-type.js'
export { MessageQueue } from './message/message-queue.js'
export { MessageSysFlag } from './message/sys-flag.js'
export type { CompressionType } from './message/sys-flag.js'
export { bodyCrc, compressBody, decompressBody } from './message/compression.js'
export { decodeRecord, encodeRecord } from './message/record.js'
export type { DecodedMessageRecord, LongLike, MessageRecord } from './message/record.js'
export { decodeOffsetMessageId } from './message/message-id.js'
export type { OffsetMessageId } from './message/message-id.js'

export { ServiceState } from './client/service-state.js'
export type { NameServerFunction, NameServerList } from './client/name-server-source.js'
export { ConsumeFromWhere, MessageModel } from './client/heartbeat.js'
export { decodeFrame, encodeFrame } from './remoting/frame.js'
export type { Frame } from './remoting/frame.js'
export type { HookedRequest, RPCHook } from './remoting/rpc-hook.js'
export type { RemotingCommand } from './remoting/types.js'
export { SessionCredentials } from './remoting/session-credentials.js'
export type { SessionCredentialsInit } from './remoting/session-credentials.js'
export type { PemSource, TlsOptions } from './remoting/tls-settings.js'
export type { ConnectionClosedEvent, RequestEvent } from './remoting/remoting-events.js'
export { ResponseCode } from './remoting/request-code.js'

export { Producer } from './producer/producer.js'
export type { Sendable } from './producer/send-content.js'
export type { MessageWritable, WritableChunk, WritableOptions } from './producer/writable.js'
export type { ProducerOptions } from './producer/options.js'
export { PartialBatchError } from './producer/send-batch.js'
export type { SendBatchOptions } from './producer/send-batch.js'
export { SendStatus } from './producer/types.js'
export { createReplyMessage, getReplyToClient } from './producer/reply.js'
export type { RequestCallback } from './producer/request.js'
export { TransactionProducer } from './producer/transaction-producer.js'
export type { TransactionProducerOptions } from './producer/transaction-options.js'
export { LocalTransactionState } from './producer/transaction-types.js'
export type {
  ExecuteLocalTransaction,
  LocalTransactionOutcome,
  TransactionArgument,
  TransactionListener,
  TransactionSendResult
} from './producer/transaction-types.js'
export type { MessageQueueSelector, SendCallback, SendOptions, SendResult } from './producer/types.js'
export {
  selectMessageQueueByHash,
  selectMessageQueueByMachineRoom,
  selectMessageQueueByRandom
} from './producer/queue-selector.js'
export type { JavaHashable } from './message/java-hash.js'
export type {
  CheckForbiddenContext,
  CheckForbiddenHook,
  CommunicationMode,
  EndTransactionContext,
  EndTransactionHook,
  EndTransactionState,
  SendMessageContext,
  SendMessageHook
} from './producer/hooks.js'
export type { SendEvent } from './producer/send-event.js'

export { PushConsumer } from './consumer/push-consumer.js'
export type { PushConsumerOptions } from './consumer/options.js'
export { ConsumeConcurrentlyContext, ConsumeConcurrentlyStatus } from './consumer/types.js'
export type { ListenerResult, MessageListenerConcurrently } from './consumer/types.js'
export { allocateMessageQueueAveragely } from './consumer/rebalance/averagely.js'
export type { AllocateMessageQueueStrategy } from './consumer/rebalance/strategy.js'

export { Broker } from './server/broker.js'
export type { ShutdownSummary } from './server/broker.js'
export { NameServer } from './server/name-server.js'
export type {
  BrokerOptions,
  ConfigValue,
  NameServerOptions,
  RecoveryProgress,
  ServerOptions
} from './server/options.js'
export { Server, startServer } from './server/server.js'

export { MessageStore } from './store/message-store.js'
export type { MessageStoreOptions } from './store/options.js'
export { PutResult } from './store/types.js'
export type {
  GetMessageResult,
  GetMessageStatus,
  GetRequest,
  PutMessageStatus,
  QueryMessageResult,
  QueryRequest,
  Range,
  StoreMessage,
  StoreStats,
  StoredQueue
} from './store/types.js'
