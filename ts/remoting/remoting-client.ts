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
import { NativeChannels } from '../native.js'
import { type CompletionSink, CompletionReader, FailureKind } from './completion-reader.js'
import { type PendingCall, PendingPromise } from './pending-call.js'
import { permissionAdvice } from './permission-advice.js'
import { RequestCode, ResponseCode } from './request-code.js'
import { HookedSend, RPCHooks } from './rpc-hooks.js'
import { sendMessageV2Fields } from './send-header.js'
import { type SessionCredentials, credentialsVersion, revealCredentials } from './session-credentials.js'
import { NO_TOKEN, SubmissionWriter } from './submission-writer.js'
import type { ConnectionClosedEvent } from './remoting-events.js'
import { connectionClosed, requestTracing, traceRequest } from './remoting-events.js'
import { revealTls } from './tls-settings.js'
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

/** Response code for a request whose code is not known here. */
const REQUEST_CODE_NOT_SUPPORTED = 3
/** Response code for a handler that threw. */
const SYSTEM_ERROR = 1
/** Codes of answers to pulls that say where to go on; all others are errors (`MQClientAPIImpl.java#processPullResponse`). */
const PULL_RESULTS: ReadonlySet<number> = new Set([
  ResponseCode.SUCCESS,
  ResponseCode.PULL_NOT_FOUND,
  ResponseCode.PULL_RETRY_IMMEDIATELY,
  ResponseCode.PULL_OFFSET_MOVED
])
const COMPLETION_BYTES = 256 * 1024
/**
 * The first requests of a tick are handed over when there are so many, and what follows in parts of so many bytes: sockets
 * and broker work on them while the rest of the tick's requests is still being written. More parts cost more than they
 * gain (docs/performance.md).
 */
const FIRST_RECORDS = 24
const PART_BYTES = 64 * 1024
/** How long an unused client may keep the process alive after its last answer, when it was not closed. */
const KEEP_ALIVE_MS = 200

/** The way to one address. */
class Channel {
  readonly writer = new SubmissionWriter()
  /** The microtask that submits is queued already. */
  scheduled = false
  /** Some of this tick's requests were handed over. */
  begun = false

  constructor(
    readonly address: string,
    readonly index: number
  ) {}
}

/**
 * Calls brokers and name servers over native channels, one TCP connection an address, made when first used and again
 * when it was lost. Requests of one tick travel together; answers come back in batches. Nothing here waits for a timer:
 * deadlines are kept beside the sockets.
 */
export class RemotingClient {
  readonly #native: NativeChannels
  readonly #reader: CompletionReader
  readonly #channels = new Map<string, Channel>()
  readonly #byIndex: Channel[] = []
  #completions = Buffer.allocUnsafeSlow(COMPLETION_BYTES)
  readonly #calls: (PendingCall | PendingSend | undefined)[] = []
  readonly #freeTokens: number[] = []
  #pendingCount = 0
  /** Fields of every request. */
  readonly #commonFields: Readonly<Record<string, ExtField>> | undefined
  readonly #namespaceV2: string | undefined
  #keepAlive: NodeJS.Timeout | undefined
  #requestHandler: RequestHandler = () => undefined
  #closeHandler: (address: string, reason: string) => void = () => undefined
  #closed = false
  readonly #hooks: RPCHooks | undefined
  /** Kept for sends that hooks see. */
  readonly #templates: SendTemplateFields[] = []
  readonly #credentials: SessionCredentials | undefined
  #credentialsVersion = 0

  constructor(options: RemotingClientOptions = {}) {
    const { tls, credentials, rpcHooks, namespaceV2 } = options
    if (rpcHooks !== undefined && rpcHooks.length > 0) this.#hooks = new RPCHooks(rpcHooks)
    this.#credentials = credentials
    if (credentials !== undefined) this.#credentialsVersion = credentialsVersion(credentials)
    this.#namespaceV2 = namespaceV2
    this.#commonFields = namespaceV2 === undefined ? undefined : { nsd: true, ns: namespaceV2 }
    this.#native = new NativeChannels(
      {
        connectTimeoutMs: options.connectTimeoutMs ?? 3000,
        jsonHeaders: options.serializeType === 'JSON',
        maxFrameBytes: options.maxFrameBytes ?? 16 * 1024 * 1024,
        maxPendingRequests: options.maxPendingRequests ?? 65535,
        maxPendingBytes: options.maxPendingBytes ?? 128 * 1024 * 1024,
        ...(tls === undefined ? {} : { tls: revealTls(tls) }),
        ...(credentials === undefined ? {} : { credentials: revealCredentials(credentials) })
      },
      () => this.#drain()
    )
    this.#reader = new CompletionReader(this.#sink(), index => this.#native.takeBody(index))
    this.#reader.use(this.#completions)
  }

  /** Registers the constant part of a send header. Register once per group, topic, queue and broker, and reuse. */
  sendTemplate(fields: SendTemplateFields): SendTemplate {
    const namespaceV2 = this.#namespaceV2
    const template = this.#native.sendTemplate(
      namespaceV2 === undefined ? fields : { ...fields, namespaceV2 }
    ) as SendTemplate
    if (this.#hooks !== undefined) this.#templates[template] = fields
    return template
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
      channel.writer.invoke(token, timeoutMs, request.code, this.#withCommon(request.extFields), request.body)
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
    if (!requestTracing.active) return this.#hooked(address, request, options)
    return traceRequest(address, request, () => this.#hooked(address, request, options))
  }

  #hooked(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    const invoke = (seen: RemotingRequest): Promise<RemotingCommand> =>
      onceMore(address, options.timeoutMs, timeoutMs => this.#invoke(address, seen, { ...options, timeoutMs }))
    return this.#hooks === undefined ? invoke(request) : this.#hooks.around(address, request, invoke)
  }

  #invoke(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    return this.#call<RemotingCommand>(address, `request ${request.code} to ${address}`, options, (writer, token) =>
      writer.invoke(
        token,
        options.timeoutMs,
        request.code,
        this.#withCommon(request.extFields),
        request.body,
        request.remark
      )
    )
  }

  /** Sends a request that nobody answers. */
  invokeOneway(address: string, request: RemotingRequest): void {
    const channel = this.#channel(address)
    const { code, extFields, body, remark } = this.#hooks?.before(address, request) ?? request
    channel.writer.invoke(NO_TOKEN, 0, code, this.#withCommon(extFields), body, remark)
    this.#submitSoon(channel)
  }

  /**
   * Pulls (PULL_MESSAGE 11) and decodes the answer off the main thread; messages whose tags are not among `tags` are left
   * out (no tags: none is). An error comes as an empty batch with its code.
   * @throws as `invoke`, and ProtocolError when an answer that is no error lacks its offsets
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
    const answer = await onceMore(address, options.timeoutMs, timeoutMs =>
      this.#call<PulledBatch | RemotingCommand>(
        address,
        `pull from ${address}`,
        { ...options, timeoutMs },
        (writer, token) => writer.pull(token, timeoutMs, this.#withCommon(extFields) ?? extFields, tags)
      )
    )
    return 'messages' in answer ? answer : emptyBatch(address, answer)
  }

  /** Who answers the requests of brokers (39, 40, 220, ...). */
  setRequestHandler(handler: RequestHandler): void {
    this.#requestHandler = handler
  }

  /** Who is told that a connection has ended. */
  setCloseHandler(handler: (address: string, reason: string) => void): void {
    this.#closeHandler = handler
  }

  /** Closes the connection to an address nobody asks any more, when it has answered what it was asked. */
  leave(address: string): void {
    const channel = this.#channels.get(address)
    if (channel === undefined) return
    this.#submit(channel)
    this.#native.leave(channel.index)
  }

  /** Closes every connection. What waits is rejected with a ClientStateError; later calls throw one. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const channel of this.#byIndex) this.#submit(channel)
    this.#native.close()
    this.#drain()
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
    this.#channels.clear()
  }

  #sendRequest(template: SendTemplate, fields: SendFields): RemotingRequest {
    const header = this.#templates[template]!
    const single = header.reply === true ? RequestCode.SEND_REPLY_MESSAGE_V2 : RequestCode.SEND_MESSAGE_V2
    const code = header.batch ? RequestCode.SEND_BATCH_MESSAGE : single
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

  #withCommon(extFields: RemotingRequest['extFields']): RemotingRequest['extFields'] {
    return this.#commonFields === undefined ? extFields : { ...extFields, ...this.#commonFields }
  }

  #channel(address: string): Channel {
    const channel = this.#channels.get(address)
    if (channel) return channel
    if (this.#closed) throw new ClientStateError(`the client is closed, nothing is sent to ${address}`)
    const opened = new Channel(address, this.#native.channel(address))
    this.#channels.set(address, opened)
    this.#byIndex[opened.index] = opened
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
    if (this.#credentials !== undefined) this.#renewCredentials(this.#credentials)
    this.#native.submit(channel.index, writer.bytes, writer.used)
    writer.reset()
  }

  /** Has the addon sign with the keys of now. */
  #renewCredentials(credentials: SessionCredentials): void {
    const version = credentialsVersion(credentials)
    if (version === this.#credentialsVersion) return
    this.#credentialsVersion = version
    this.#native.setCredentials(revealCredentials(credentials))
  }

  /** A refusal for want of permission, its remark followed by what to do about it. */
  #advised(response: RemotingCommand): RemotingCommand {
    const remark = response.remark ?? ''
    const advice = permissionAdvice(remark, this.#credentials?.accessKey)
    return advice === undefined ? response : { ...response, remark: `${remark} (${advice})` }
  }

  /** Fetches and hands out completions until there are none. */
  #drain(): void {
    for (;;) {
      const bytes = this.#native.fetch(this.#completions)
      if (bytes === 0) return
      if (bytes > this.#completions.length) {
        this.#completions = Buffer.allocUnsafeSlow(bytes)
        this.#reader.use(this.#completions)
      } else {
        this.#reader.read(bytes)
      }
    }
  }

  #sink(): CompletionSink {
    return {
      sent: (token, code, queueId, low, high, offsetMsgId, traceOn, regionId) =>
        this.#take(token)?.onSent(code, queueId, low, high, offsetMsgId, traceOn, regionId),
      responded: (token, response) =>
        this.#take(token)?.onResponse(
          response.code === ResponseCode.NO_PERMISSION ? this.#advised(response) : response
        ),
      pulled: (token, batch) => {
        const pending = this.#take(token)
        if (pending && 'onPulled' in pending) pending.onPulled(batch)
      },
      failed: (token, kind, message) => this.#take(token)?.onFailed(failure(kind, message)),
      requested: (index, opaque, oneway, request) => void this.#answer(index, opaque, oneway, request),
      closed: (address, reason) => {
        if (connectionClosed.hasSubscribers)
          connectionClosed.publish({ address, reason } satisfies ConnectionClosedEvent)
        this.#closeHandler(address, reason)
      }
    }
  }

  async #answer(index: number, opaque: number, oneway: boolean, request: RemotingCommand): Promise<void> {
    const channel = this.#byIndex[index]
    if (!channel) return
    let response: RemotingResponse
    try {
      response = (await this.#requestHandler(channel.address, request)) ?? {
        code: REQUEST_CODE_NOT_SUPPORTED,
        remark: `request type ${request.code} not supported`
      }
    } catch (error) {
      response = { code: SYSTEM_ERROR, remark: toError(error).message }
    }
    if (oneway || this.#closed) return
    channel.writer.respond(opaque, response)
    this.#submitSoon(channel)
  }
}

/**
 * Asks again when the peer answers that it is about to go (GO_AWAY); the channel has left that connection then and makes
 * another (`remoting/netty/NettyRemotingClient.java#invokeImpl`). Both times together take at most `timeoutMs`.
 *
 * @throws ConnectionError when it answers so twice
 */
async function onceMore<T extends { readonly code: number }>(
  address: string,
  timeoutMs: number,
  ask: (timeoutMs: number) => Promise<T>
): Promise<T> {
  const startMs = Date.now()
  const answer = await ask(timeoutMs)
  const leftMs = startMs + timeoutMs - Date.now()
  if (answer.code !== ResponseCode.GO_AWAY || leftMs <= 0) return answer
  const second = await ask(leftMs)
  if (second.code !== ResponseCode.GO_AWAY) return second
  throw new ConnectionError(`${address} answered twice that it is going away (GO_AWAY)`, address)
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

/**
 * An error as a batch. An answer that is none came without offsets that can be read, and to guess one would move the consumer
 * (`PullMessageResponseHeader.java#decode`).
 */
function emptyBatch(address: string, answer: RemotingCommand): PulledBatch {
  if (PULL_RESULTS.has(answer.code)) {
    const offsets = 'suggestWhichBrokerId, nextBeginOffset, minOffset and maxOffset'
    throw new ProtocolError(`${address} answered a pull with code ${answer.code}, but not with readable ${offsets}`)
  }
  return {
    code: answer.code,
    remark: answer.remark,
    nextBeginOffset: Long.ZERO,
    minOffset: Long.ZERO,
    maxOffset: Long.ZERO,
    suggestWhichBrokerId: 0,
    offsetDelta: Long.ZERO,
    messageCount: 0,
    messages: Buffer.alloc(0),
    unreadable: undefined
  }
}
