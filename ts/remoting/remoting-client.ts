import Long from 'long'
import {
  AbortedError,
  BusyError,
  ClientStateError,
  ConnectionError,
  InvalidArgumentError,
  ProtocolError,
  type RocketMQError,
  TimeoutError,
  toError
} from '../errors.js'
import { type CompletionSink, FailureKind } from './completion-reader.js'
import { NativeLink } from './native-link.js'
import { RequestCode, ResponseCode } from './request-code.js'
import { HookedSend, RPCHooks } from './rpc-hooks.js'
import { sendMessageV2Fields } from './send-header.js'
import { type PendingCall, PendingPromise } from './pending-call.js'
import { NO_TOKEN, SubmissionWriter } from './submission-writer.js'
import type {
  ExtField,
  InvokeOptions,
  PendingSend,
  PulledBatch,
  RemotingClientOptions,
  RemotingCommand,
  RemotingRequest,
  RemotingResponse,
  SendFields,
  SendTemplate,
  SendTemplateFields
} from './types.js'

/** Answers a request that came from a broker; `undefined` says that the code is not known here. */
export type RequestHandler = (
  address: string,
  request: RemotingCommand
) => RemotingResponse | undefined | Promise<RemotingResponse | undefined>

/**
 * The first requests of a tick are handed over when there are so many, and what follows in parts of so many bytes: sockets
 * and broker work on them while the rest of the tick's requests is still being written. More parts cost a broker more
 * than they gain (measured with 64 and 1,024 sends in flight, on our broker and on Apache's).
 */
const FIRST_RECORDS = 24
const PART_BYTES = 32 * 1024
/** Answers of the old connection may say again that it goes away for this long. */
const RECONNECT_AGAIN_MS = 1_000
/** How long an unused client may keep the process alive after its last answer, when it was not closed. */
const KEEP_ALIVE_MS = 200

/** The way to one address. */
class Channel {
  readonly writer = new SubmissionWriter()
  /** The microtask that submits is queued already. */
  scheduled = false
  /** Some of this tick's requests were handed over. */
  begun = false
  /** When its connection was last replaced. */
  reconnectedMs = -Infinity

  /** @param index its number on `link` */
  constructor(
    readonly address: string,
    public link: NativeLink,
    public index: number
  ) {}
}

/**
 * Calls brokers and name servers over native channels, one TCP connection an address, made when first used and again
 * when it was lost. Requests of one tick travel together; answers come back in batches. Nothing here waits for a timer:
 * deadlines are kept beside the sockets.
 */
export class RemotingClient {
  readonly #options: RemotingClientOptions
  /** The first is that of all addresses; see {@link NativeLink}. */
  readonly #links: NativeLink[] = []
  readonly #channels = new Map<string, Channel>()
  readonly #calls: (PendingCall | PendingSend | undefined)[] = []
  readonly #freeTokens: number[] = []
  #pendingCount = 0
  #keepAlive: NodeJS.Timeout | undefined
  #requestHandler: RequestHandler = () => undefined
  #closeHandler: (address: string, reason: string) => void = () => undefined
  #closed = false
  readonly #hooks: RPCHooks | undefined
  readonly #templates: SendTemplateFields[] = []

  constructor(options: RemotingClientOptions = {}) {
    if (options.rpcHooks !== undefined && options.rpcHooks.length > 0) this.#hooks = new RPCHooks(options.rpcHooks)
    this.#options = options
    this.#links.push(new NativeLink(options, [], link => this.#sink(link)))
  }

  /** Registers the constant part of a send header. Register once per group, topic, queue and broker, and reuse. */
  sendTemplate(fields: SendTemplateFields): SendTemplate {
    for (const { native } of this.#links) native.sendTemplate(fields)
    return (this.#templates.push(fields) - 1) as SendTemplate
  }

  /**
   * Sends a message. `pending` learns the end, exactly once, never during this call.
   * @throws ClientStateError when closed
   */
  send(address: string, template: SendTemplate, fields: SendFields, timeoutMs: number, pending: PendingSend): void {
    const channel = this.#channel(address)
    if (this.#hooks === undefined) {
      channel.writer.send(this.#register(pending), timeoutMs, template, fields)
    } else {
      const request = this.#hooks.before(address, this.#sendRequest(template, fields))
      const token = this.#register(new HookedSend(pending, this.#hooks, address, request))
      channel.writer.invoke(token, timeoutMs, request.code, request.extFields, request.body)
    }
    this.#submitSoon(channel)
  }

  /** Sends a message that nobody answers. */
  sendOneway(address: string, template: SendTemplate, fields: SendFields): void {
    if (this.#hooks !== undefined) {
      this.invokeOneway(address, this.#sendRequest(template, fields))
      return
    }
    const channel = this.#channel(address)
    channel.writer.send(NO_TOKEN, 0, template, fields)
    this.#submitSoon(channel)
  }

  /**
   * Sends a request and waits for the answer, whatever its code.
   * @throws ConnectionError, TimeoutError, BusyError, AbortedError, ClientStateError
   */
  invoke(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    const hooks = this.#hooks
    if (hooks === undefined) return this.#invoke(address, request, options)
    return hooks.around(address, request, seen => this.#invoke(address, seen, options))
  }

  async #invoke(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    const call = (timeoutMs: number): Promise<RemotingCommand> =>
      this.#call<RemotingCommand>(address, `request ${request.code} to ${address}`, options, (writer, token) =>
        writer.invoke(token, timeoutMs, request.code, request.extFields, request.body)
      )
    return this.#again(address, options.timeoutMs, call)
  }

  /**
   * Calls, and calls once more over a new connection when the peer answers GO_AWAY
   * (`remoting/netty/NettyRemotingClient.java#invokeImpl`).
   */
  async #again<T extends { code: number }>(
    address: string,
    timeoutMs: number,
    call: (timeoutMs: number) => Promise<T>
  ): Promise<T> {
    const startMs = Date.now()
    const before = this.#channels.get(address)?.reconnectedMs
    const answer = await call(timeoutMs)
    const leftMs = startMs + timeoutMs - Date.now()
    if (answer.code !== ResponseCode.GO_AWAY || leftMs <= 0 || this.#closed) return answer
    if (this.#channels.get(address)?.reconnectedMs === (before ?? -Infinity)) this.reconnect(address)
    const second = await call(leftMs)
    if (second.code !== ResponseCode.GO_AWAY) return second
    throw new ConnectionError(`${address} answered twice that it goes away (GO_AWAY)`, address)
  }

  /**
   * Makes a new connection to an address for all that is asked from now on; what is under way may still be answered on the old
   * one, which its peer closes. For a peer that answers GO_AWAY. Many answers may say so; within a second of the first
   * the others change nothing.
   */
  reconnect(address: string): void {
    const channel = this.#channels.get(address)
    const nowMs = Date.now()
    if (channel === undefined || this.#closed || nowMs - channel.reconnectedMs < RECONNECT_AGAIN_MS) return
    this.#submit(channel)
    channel.reconnectedMs = nowMs
    channel.link = new NativeLink(this.#options, this.#templates, link => this.#sink(link))
    channel.index = channel.link.channel(address)
    this.#links.push(channel.link)
    this.#closeHandler(address, 'it goes away (GO_AWAY); a new connection is made')
  }

  /** Sends a request that nobody answers. */
  invokeOneway(address: string, request: RemotingRequest): void {
    const channel = this.#channel(address)
    const { code, extFields, body } = this.#hooks?.before(address, request) ?? request
    channel.writer.invoke(NO_TOKEN, 0, code, extFields, body)
    this.#submitSoon(channel)
  }

  /**
   * Pulls (PULL_MESSAGE 11) and decodes the answer off the main thread; messages whose tags are not among `tags` are left
   * out (no tags: none is). An answer without offsets is an error and comes as an empty batch with its code.
   * @throws as `invoke`
   */
  async pull(
    address: string,
    extFields: Readonly<Record<string, ExtField>>,
    tags: readonly string[] | undefined,
    options: InvokeOptions
  ): Promise<PulledBatch> {
    const hooks = this.#hooks
    if (hooks === undefined) return this.#pull(address, extFields, tags, options)
    const request = hooks.before(address, { code: RequestCode.PULL_MESSAGE, extFields })
    const batch = await this.#pull(address, request.extFields, tags, options)
    hooks.afterPull(address, request, batch)
    return batch
  }

  async #pull(
    address: string,
    extFields: Readonly<Record<string, ExtField>>,
    tags: readonly string[] | undefined,
    options: InvokeOptions
  ): Promise<PulledBatch> {
    const call = (timeoutMs: number): Promise<PulledBatch | RemotingCommand> =>
      this.#call(address, `pull from ${address}`, options, (writer, token) =>
        writer.pull(token, timeoutMs, extFields, tags)
      )
    const answer = await this.#again(address, options.timeoutMs, call)
    return 'messages' in answer ? answer : emptyBatch(answer)
  }

  /** Who answers the requests of brokers (39, 40, 220, ...). */
  setRequestHandler(handler: RequestHandler): void {
    this.#requestHandler = handler
  }

  /** Who is told that a connection has ended. */
  setCloseHandler(handler: (address: string, reason: string) => void): void {
    this.#closeHandler = handler
  }

  /** Closes every connection. What waits is rejected with a ClientStateError; later calls throw one. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const channel of this.#channels.values()) this.#submit(channel)
    for (const link of this.#links) {
      link.native.close()
      link.drain()
    }
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
    this.#channels.clear()
  }

  #sendRequest(template: SendTemplate, fields: SendFields): RemotingRequest {
    const header = this.#templates[template]!
    const code = header.batch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2
    return { code, extFields: sendMessageV2Fields(header, fields), body: fields.body }
  }

  #call<T>(
    address: string,
    what: string,
    options: InvokeOptions,
    write: (writer: SubmissionWriter, token: number) => void
  ): Promise<T> {
    const { signal } = options
    if (signal?.aborted) return Promise.reject(new AbortedError(what, signal))
    let channel: Channel
    try {
      channel = this.#channel(address)
    } catch (error) {
      return Promise.reject(toError(error))
    }
    const pending = new PendingPromise<T>(what, signal)
    write(channel.writer, this.#register(pending))
    this.#submitSoon(channel)
    return pending.promise
  }

  #channel(address: string): Channel {
    const channel = this.#channels.get(address)
    if (channel) return channel
    if (this.#closed) throw new ClientStateError(`the client is closed, nothing is sent to ${address}`)
    const link = this.#links[0]!
    const opened = new Channel(address, link, link.channel(address))
    this.#channels.set(address, opened)
    return opened
  }

  #register(pending: PendingCall | PendingSend): number {
    const token = this.#freeTokens.pop() ?? this.#calls.length
    this.#calls[token] = pending
    this.#pendingCount++
    // Sockets of the addon do not hold the process; who waits for an answer does.
    this.#keepAlive ??= setInterval(() => this.#releaseProcess(), KEEP_ALIVE_MS)
    return token
  }

  #releaseProcess(): void {
    if (this.#pendingCount > 0) return
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
  }

  #take(token: number): PendingCall | PendingSend | undefined {
    const pending = this.#calls[token]
    if (pending === undefined) return undefined
    this.#calls[token] = undefined
    this.#freeTokens.push(token)
    this.#pendingCount--
    return pending
  }

  /** Submits at the end of the current run of microtasks, so that the requests of one tick share system calls. */
  #submitSoon(channel: Channel): void {
    const { writer } = channel
    if (writer.used >= PART_BYTES || (writer.records >= FIRST_RECORDS && !channel.begun)) {
      channel.begun = true
      this.#submit(channel)
    }
    if (channel.scheduled) return
    channel.scheduled = true
    queueMicrotask(() => {
      channel.scheduled = false
      channel.begun = false
      this.#submit(channel)
    })
  }

  #submit(channel: Channel): void {
    const { writer } = channel
    if (writer.used === 0) return
    channel.link.native.submit(channel.index, writer.bytes, writer.used)
    writer.reset()
  }

  #sink(link: NativeLink): CompletionSink {
    return {
      sent: (token, code, queueId, low, high, offsetMsgId, traceOn, regionId) =>
        this.#take(token)?.onSent(code, queueId, low, high, offsetMsgId, traceOn, regionId),
      responded: (token, response) => this.#take(token)?.onResponse(response),
      pulled: (token, batch) => {
        const pending = this.#take(token)
        if (pending && 'onPulled' in pending) pending.onPulled(batch)
      },
      failed: (token, kind, message) => this.#take(token)?.onFailed(failure(kind, message)),
      requested: (index, opaque, oneway, request) => void this.#answer(link, index, opaque, oneway, request),
      closed: (address, reason) => this.#linkClosed(link, address, reason)
    }
  }

  /** A connection that was replaced is missed by nobody. */
  #linkClosed(link: NativeLink, address: string, reason: string): void {
    if (this.#channels.get(address)?.link === link || this.#closed) {
      this.#closeHandler(address, reason)
    } else if (link !== this.#links[0]) {
      this.#links.splice(this.#links.indexOf(link), 1)
      link.native.close()
    }
  }

  async #answer(
    link: NativeLink,
    index: number,
    opaque: number,
    oneway: boolean,
    request: RemotingCommand
  ): Promise<void> {
    const address = link.addresses[index]
    if (address === undefined) return
    let response: RemotingResponse
    try {
      response = (await this.#requestHandler(address, request)) ?? {
        code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
        remark: `request type ${request.code} not supported`
      }
    } catch (error) {
      response = { code: ResponseCode.SYSTEM_ERROR, remark: toError(error).message }
    }
    const channel = this.#channels.get(address)
    // An answer belongs on the connection that the request came by.
    if (oneway || this.#closed || channel?.link !== link) return
    channel.writer.respond(opaque, response)
    this.#submitSoon(channel)
  }
}

function failure(kind: FailureKind, message: string): RocketMQError {
  switch (kind) {
    case FailureKind.TimedOut:
      return new TimeoutError(message, Number(/within (\d+) ms/.exec(message)?.[1] ?? 0))
    case FailureKind.TooManyRequests:
      return new BusyError(message)
    case FailureKind.Closed:
      return new ClientStateError(message)
    case FailureKind.Unsendable:
      return new InvalidArgumentError(message)
    case FailureKind.Malformed:
      return new ProtocolError(message)
    default:
      return new ConnectionError(message, /connect(?:ion)? to (\S+:\d+)/.exec(message)?.[1] ?? '')
  }
}

function emptyBatch(answer: RemotingCommand): PulledBatch {
  return {
    code: answer.code,
    remark: answer.remark,
    nextBeginOffset: Long.ZERO,
    minOffset: Long.ZERO,
    maxOffset: Long.ZERO,
    suggestWhichBrokerId: 0,
    offsetDelta: Long.ZERO,
    messageCount: 0,
    messages: Buffer.alloc(0)
  }
}
