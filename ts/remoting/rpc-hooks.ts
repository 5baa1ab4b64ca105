import { type RocketMQError, ProtocolError, asRocketMQError } from '../errors.js'
import type { HookedRequest, RPCHook } from './rpc-hook.js'
import type { PendingSend, PulledBatch, RemotingCommand, RemotingRequest } from './types.js'

const EMPTY = Buffer.alloc(0)

/** The hooks of a client, called in turn (`remoting/netty/NettyRemotingAbstract.java#doBeforeRpcHooks`). */
export class RPCHooks {
  readonly #hooks: readonly RPCHook[]

  constructor(hooks: readonly RPCHook[]) {
    this.#hooks = hooks
  }

  /** Shows a request; what is to be sent is given back. */
  before(address: string, request: RemotingRequest): HookedRequest {
    const seen: HookedRequest = { ...request, extFields: { ...request.extFields } }
    for (const hook of this.#hooks) hook.doBeforeRequest(address, seen)
    return seen
  }

  /** Shows the answer to it. */
  after(address: string, request: HookedRequest, response: RemotingCommand): void {
    for (const hook of this.#hooks) hook.doAfterResponse(address, request, response)
  }

  /** Shows the answer to a pull, without its messages. */
  afterPull(address: string, request: HookedRequest, batch: PulledBatch): void {
    const extFields = {
      nextBeginOffset: batch.nextBeginOffset.toString(),
      minOffset: batch.minOffset.toString(),
      maxOffset: batch.maxOffset.toString(),
      suggestWhichBrokerId: String(batch.suggestWhichBrokerId)
    }
    this.after(address, request, { code: batch.code, version: 0, remark: batch.remark, extFields, body: EMPTY })
  }

  /** Shows a request and its answer. */
  async around(
    address: string,
    request: RemotingRequest,
    invoke: (seen: RemotingRequest) => Promise<RemotingCommand>
  ): Promise<RemotingCommand> {
    const seen = this.before(address, request)
    const response = await invoke(seen)
    this.after(address, seen, response)
    return response
  }
}

/** A send whose answer hooks see first. */
export class HookedSend implements PendingSend {
  readonly #pending: PendingSend
  readonly #hooks: RPCHooks
  readonly #address: string
  readonly #request: HookedRequest

  constructor(pending: PendingSend, hooks: RPCHooks, address: string, request: HookedRequest) {
    this.#pending = pending
    this.#hooks = hooks
    this.#address = address
    this.#request = request
  }

  onSent(): void {
    this.onFailed(new ProtocolError(`a request to ${this.#address} was answered as if it were a send`))
  }

  onResponse(response: RemotingCommand): void {
    try {
      this.#hooks.after(this.#address, this.#request, response)
    } catch (error) {
      this.#pending.onFailed(asRocketMQError(error))
      return
    }
    this.#pending.onResponse(response)
  }

  onFailed(error: RocketMQError): void {
    this.#pending.onFailed(error)
  }
}
