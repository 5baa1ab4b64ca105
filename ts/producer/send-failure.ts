import type { RocketMQError, SendAttempt } from '../errors.js'
import {
  BrokerError,
  BusyError,
  ConnectionError,
  NotSupportedError,
  ProtocolError,
  RouteError,
  SendError,
  TimeoutError
} from '../errors.js'
import { ResponseCode } from '../remoting/request-code.js'
import type { ProducerConfig } from './options.js'

/**
 * Whether another attempt may do better. One with a callback is only repeated when the transport failed
 * (`impl/producer/DefaultMQProducerImpl.java#sendDefaultImpl`, `impl/MQClientAPIImpl.java#onExceptionImpl`).
 */
export function isRetryable(error: RocketMQError, config: ProducerConfig, withCallback: boolean): boolean {
  if (error instanceof ConnectionError || error instanceof TimeoutError) return true
  if (withCallback) return false
  if (error instanceof BrokerError) return config.retryResponseCodes.has(error.responseCode)
  return error instanceof BusyError || error instanceof ProtocolError || error instanceof RouteError
}

/**
 * Why a send failed after these attempts. What a broker does not know at all is told apart: trying again, or elsewhere, is of
 * no use.
 */
export function sendError(
  topic: string,
  attempts: readonly SendAttempt[],
  costMs: number
): SendError | NotSupportedError {
  const brokers = attempts.map(attempt => attempt.brokerName).join(', ')
  const last = attempts.at(-1)!.error
  const error = new SendError(
    `sent ${attempts.length} times, still failed, cost ${costMs} ms, topic ${topic}, brokers ${brokers}: ${last.message}`,
    topic,
    attempts
  )
  if (error.responseCode !== ResponseCode.REQUEST_CODE_NOT_SUPPORTED) return error
  return new NotSupportedError(error.message, { cause: error })
}
