import { channel } from 'node:diagnostics_channel'
import { Tracing } from '../diagnostics.js'
import type { RemotingCommand, RemotingRequest } from './types.js'

/**
 * What the tracing channel `rocketmq-native:request` says of a request to a broker or name server that waits for its
 * answer; one object from start to end. Sends of messages and pulls have a way of their own and are not among them.
 */
export interface RequestEvent {
  /** `host:port` of who is asked. */
  readonly address: string
  /** `RequestCode`. */
  readonly code: number
  /** Bytes of the body of the request. */
  readonly bodyBytes: number
  /** At the end: the code of the answer, `ResponseCode`; undefined when none came. */
  responseCode?: number | undefined
  /** At the end: why no answer came. */
  error?: unknown
}

/** What the channel `rocketmq-native:connection:closed` says when a connection has ended. */
export interface ConnectionClosedEvent {
  /** `host:port` of the other side. */
  readonly address: string
  /** Why, in words. */
  readonly reason: string
}

/** `tracing:rocketmq-native:request:start`, `:end`, `:asyncStart`, `:asyncEnd` and `:error`. */
export const requestTracing = new Tracing<RequestEvent>('rocketmq-native:request')

/** `rocketmq-native:connection:closed` */
export const connectionClosed = channel('rocketmq-native:connection:closed')

/** Makes a request between the channels. */
export async function traceRequest(
  address: string,
  { code, body }: RemotingRequest,
  invoke: () => Promise<RemotingCommand>
): Promise<RemotingCommand> {
  const event: RequestEvent = {
    address,
    code,
    bodyBytes: body?.length ?? 0,
    responseCode: undefined,
    error: undefined
  }
  try {
    const response = await requestTracing.run(event, invoke)
    event.responseCode = response.code
    return response
  } catch (error) {
    event.error = error
    throw error
  } finally {
    requestTracing.ended(event)
  }
}
