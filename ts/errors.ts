/**
 * Every error this package throws or rejects with. One base class, a closed set of codes, one class per code.
 *
 * @packageDocumentation
 */

/** The closed set of `RocketMQError.code` values; switch on these, not on messages. */
export type ErrorCode =
  /** The client is not in the state the call needs: not started, started twice, already shut down. */
  | 'RMQ_STATE'
  /** An option or setting is wrong: unknown key, wrong type, out of range, exclusive options together. */
  | 'RMQ_CONFIG'
  /** An argument of a call is wrong: empty topic, illegal characters, empty body, body too large. */
  | 'RMQ_ARGUMENT'
  /** No connection could be made, or it broke before the answer came. */
  | 'RMQ_CONNECTION'
  /** No answer within the time allowed. */
  | 'RMQ_TIMEOUT'
  /** The peer answered something that is not the protocol. */
  | 'RMQ_PROTOCOL'
  /** A broker or name server answered with an error code; see {@link BrokerError}. */
  | 'RMQ_BROKER'
  /** No usable route: no name server, unknown topic, no writable queue, unknown broker. */
  | 'RMQ_ROUTE'
  /** A send failed on every attempt it was allowed; see {@link SendError}. */
  | 'RMQ_SEND'
  /** A local limit is reached: too many or too large requests are waiting. */
  | 'RMQ_BUSY'
  /** The message store of an embedded server failed. */
  | 'RMQ_STORE'
  /** An embedded server could not start or stop: port in use, directory locked. */
  | 'RMQ_SERVER'
  /** The caller's AbortSignal fired; `cause` is its reason. */
  | 'RMQ_ABORTED'
  /** What was asked for does not exist in this version, here or at the broker. */
  | 'RMQ_NOT_SUPPORTED'

/**
 * Numbers Java gives to errors found in the client itself (`client/common/ClientErrorCode.java`), kept on
 * {@link RocketMQError.clientErrorCode} where Java has one.
 */
export const ClientErrorCode = {
  CONNECT_BROKER_EXCEPTION: 10001,
  ACCESS_BROKER_TIMEOUT: 10002,
  BROKER_NOT_EXIST_EXCEPTION: 10003,
  NO_NAME_SERVER_EXCEPTION: 10004,
  NOT_FOUND_TOPIC_EXCEPTION: 10005,
  REQUEST_TIMEOUT_EXCEPTION: 10006,
  CREATE_REPLY_MESSAGE_EXCEPTION: 10007
} as const
/** One of the numbers of {@link ClientErrorCode}. */
export type ClientErrorCode = (typeof ClientErrorCode)[keyof typeof ClientErrorCode]

/** What every error may carry besides its text. */
export interface ErrorDetails {
  /** The error that led to this one. */
  cause?: unknown
  /** Java's number for it, where Java has one. */
  clientErrorCode?: ClientErrorCode | undefined
}

/** Base of all errors of this package. */
export abstract class RocketMQError extends Error {
  /** Which kind of failure this is. */
  abstract readonly code: ErrorCode
  /** Whether the same call may succeed when made again, without anything being changed. */
  readonly retryable: boolean = false
  /** Java's `ClientErrorCode` for this failure, where Java has one. */
  readonly clientErrorCode: ClientErrorCode | undefined

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.clientErrorCode = details.clientErrorCode
  }

  /** The name of the class. */
  override get name(): string {
    return this.constructor.name
  }
}

/** The client is not in the state the call needs. */
export class ClientStateError extends RocketMQError {
  readonly code = 'RMQ_STATE'
}

/** An option is unknown, of the wrong type, out of range, or contradicts another. */
export class ConfigError extends RocketMQError {
  readonly code = 'RMQ_CONFIG'
}

/** An argument is not acceptable; the rules are those of Apache's `Validators`. */
export class InvalidArgumentError extends RocketMQError {
  readonly code = 'RMQ_ARGUMENT'
}

/** A connection could not be made, or broke before the answer came. */
export class ConnectionError extends RocketMQError {
  readonly code = 'RMQ_CONNECTION'
  override readonly retryable = true
  /** `host:port` of the peer. */
  readonly address: string

  constructor(message: string, address: string, details: ErrorDetails = {}) {
    super(message, { clientErrorCode: ClientErrorCode.CONNECT_BROKER_EXCEPTION, ...details })
    this.address = address
  }
}

/** No answer came in time. A request that timed out may still have been carried out. */
export class TimeoutError extends RocketMQError {
  readonly code = 'RMQ_TIMEOUT'
  override readonly retryable = true
  /** How long was waited, in milliseconds. */
  readonly timeoutMs: number

  constructor(message: string, timeoutMs: number, details: ErrorDetails = {}) {
    super(message, { clientErrorCode: ClientErrorCode.ACCESS_BROKER_TIMEOUT, ...details })
    this.timeoutMs = timeoutMs
  }
}

/** The peer sent something that cannot be read. */
export class ProtocolError extends RocketMQError {
  readonly code = 'RMQ_PROTOCOL'
}

/** Response codes that say "not now": the same request may be answered otherwise a little later. */
const RETRYABLE_RESPONSE_CODES: ReadonlySet<number> = new Set([2, 14, 215, 1500])

/** A broker or name server answered with an error. */
export class BrokerError extends RocketMQError {
  readonly code = 'RMQ_BROKER'
  override readonly retryable: boolean
  /** The code of the answer, `ResponseCode` in Apache's words. */
  readonly responseCode: number
  /** The remark of the answer, empty when there was none. */
  readonly remark: string
  /** `host:port` of who answered. */
  readonly brokerAddr: string
  /** What was asked, `RequestCode` in Apache's words. */
  readonly requestCode: number

  constructor(responseCode: number, remark: string | undefined, brokerAddr: string, requestCode: number) {
    super(`request ${requestCode} to ${brokerAddr} was answered with CODE: ${responseCode} DESC: ${remark ?? ''}`)
    this.responseCode = responseCode
    this.remark = remark ?? ''
    this.brokerAddr = brokerAddr
    this.requestCode = requestCode
    this.retryable = RETRYABLE_RESPONSE_CODES.has(responseCode)
  }
}

/** No route: the name servers cannot be reached, do not know the topic, or nothing of it is usable. */
export class RouteError extends RocketMQError {
  readonly code = 'RMQ_ROUTE'
  override readonly retryable = true
}

/** One attempt of a send that failed. */
export interface SendAttempt {
  /** The broker it went to. */
  brokerName: string
  /** The queue it was for. */
  queueId: number
  /** Time from the start of this attempt to its failure, in milliseconds. */
  durationMs: number
  /** Why it failed. */
  error: RocketMQError
}

/** A send failed on all attempts; `cause` is the last failure. */
export class SendError extends RocketMQError {
  readonly code = 'RMQ_SEND'
  /** Whether the last failure is one that may pass. */
  override readonly retryable: boolean
  /** The topic of the message. */
  readonly topic: string
  /** All attempts in order. */
  readonly attempts: readonly SendAttempt[]
  /** The response code of the last failure if a broker gave one. */
  readonly responseCode: number | undefined

  constructor(message: string, topic: string, attempts: readonly SendAttempt[], cause = attempts.at(-1)?.error) {
    super(message, { cause, clientErrorCode: cause?.clientErrorCode })
    this.topic = topic
    this.attempts = attempts
    this.retryable = cause?.retryable ?? true
    this.responseCode = cause instanceof BrokerError || cause instanceof SendError ? cause.responseCode : undefined
  }
}

/** A message that was written to a stream was not sent; `cause` says why. */
export class WriteError extends SendError {
  /** The message as it was written. */
  readonly failedMessage: unknown

  constructor(failedMessage: unknown, topic: string, cause: RocketMQError) {
    super(
      `a message written to the stream was not sent: ${cause.message}`,
      topic,
      cause instanceof SendError ? cause.attempts : [],
      cause
    )
    this.failedMessage = failedMessage
  }
}

/** A local limit on waiting requests is reached; nothing was sent. */
export class BusyError extends RocketMQError {
  readonly code = 'RMQ_BUSY'
  override readonly retryable = true
}

/** The message store of an embedded server failed. */
export class StoreError extends RocketMQError {
  readonly code = 'RMQ_STORE'
}

/** An embedded server could not be started or stopped. */
export class ServerError extends RocketMQError {
  readonly code = 'RMQ_SERVER'
}

/** The caller's AbortSignal fired. */
export class AbortedError extends RocketMQError {
  readonly code = 'RMQ_ABORTED'

  constructor(what: string, signal: AbortSignal) {
    super(`${what} was aborted`, { cause: signal.reason })
  }
}

/** What was asked for does not exist in this version, here or at the broker. */
export class NotSupportedError extends RocketMQError {
  readonly code = 'RMQ_NOT_SUPPORTED'
}

/** Wraps whatever was thrown so that callers always see an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error
    ? thrown
    : new ProtocolError(`something that is no Error was thrown: ${String(thrown)}`)
}

/** Errors of this package as they are, others (which would be mistakes of ours) wrapped. */
export function asRocketMQError(thrown: unknown): RocketMQError {
  if (thrown instanceof RocketMQError) return thrown
  return new ProtocolError(`unexpected failure: ${toError(thrown).message}`, { cause: thrown })
}
