import type { ExtField, RemotingCommand } from './types.js'

/** A request as a hook sees it. Fields that it sets in `extFields` are sent. */
export interface HookedRequest {
  /** Request code. */
  readonly code: number
  /** The header fields by their names on the wire. */
  readonly extFields: Record<string, ExtField>
  readonly body?: Uint8Array
  /** The remark of the request, where it has one. */
  readonly remark?: string | undefined
}

/**
 * Sees what a client asks and what it is answered (`remoting/RPCHook.java`): requests to brokers and name servers, oneway
 * ones, and pulls. Registered hooks see sends too, with the one-letter names of SendMessageRequestHeaderV2; their headers
 * are written in JavaScript then, which costs some microseconds a send. Answers to pulls come without their messages. What a hook
 * throws before a request fails that request; after an answer it fails the call that waits for it.
 */
export interface RPCHook {
  /** Before a request leaves. */
  doBeforeRequest(remoteAddr: string, request: HookedRequest): void
  /** After the answer to it came, whatever its code; not for oneway requests, and not when there was none. */
  doAfterResponse(remoteAddr: string, request: HookedRequest, response: RemotingCommand): void
}
