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
import { NO_TOKEN, SubmissionWriter } from './submission-writer.js'
import { ResponseCode } from './request-code.js'
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
const COMPLETION_BYTES = 256 * 1024
/**
 * The first requests of a tick are handed over when there are so many, and what follows in parts of so many bytes: sockets
 * and broker work on them while the rest of the tick's requests is still being written. More parts cost a broker more
 * than they gain (measured with 64 and 1,024 sends in flight, on our broker and on Apache's).
 */
const FIRST_RECORDS = 24
const PART_BYTES = 32 * 1024
/** How long an unused client may keep the process alive after its last answer, when it was not closed. */
const KEEP_ALIVE_MS = 200

/** A call that waits for its end; exactly one of its methods is called, once. */
interface PendingCall extends PendingSend {
  onPulled(batch: PulledBatch): void
}

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

/** A promise as a pending call. */
class PendingPromise<T> implements PendingCall {
  #resolve!: (value: T) => void
  #reject!: (error: RocketMQError) => void
  readonly promise = new Promise<T>((resolve, reject) => {
    this.#resolve = resolve
    this.#reject = reject
  })
  readonly #what: string
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: (() => void) | undefined

  constructor(what: string, signal: AbortSignal | undefined) {
    this.#what = what
    this.#signal = signal
    if (!signal) return
    this.#onAbort = () => this.#reject(new AbortedError(what, signal))
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  onResponse(response: RemotingCommand): void {
    this.#end()
    // `invoke` makes one of these for a command, `pull` for a batch, and each is answered in kind.
    this.#resolve(response as T)
  }

  onPulled(batch: PulledBatch): void {
    this.#end()
    this.#resolve(batch as T)
  }

  onSent(): void {
    this.onFailed(new ProtocolError(`${this.#what} was answered as if it were a send`))
  }

  onFailed(error: RocketMQError): void {
    this.#end()
    this.#reject(error)
  }

  #end(): void {
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort)
  }
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

  constructor(options: RemotingClientOptions = {}) {
    this.#namespaceV2 = options.namespaceV2
    this.#commonFields = options.namespaceV2 === undefined ? undefined : { nsd: true, ns: options.namespaceV2 }
    this.#native = new NativeChannels(
      {
        connectTimeoutMs: options.connectTimeoutMs ?? 3000,
        jsonHeaders: options.serializeType === 'JSON',
        maxFrameBytes: options.maxFrameBytes ?? 16 * 1024 * 1024,
        maxPendingRequests: options.maxPendingRequests ?? 65535,
        maxPendingBytes: options.maxPendingBytes ?? 128 * 1024 * 1024
      },
      () => this.#drain()
    )
    this.#reader = new CompletionReader(this.#sink(), index => this.#native.takeBody(index))
    this.#reader.use(this.#completions)
  }

  /** Registers the constant part of a send header. Register once per group, topic, queue and broker, and reuse. */
  sendTemplate(fields: SendTemplateFields): SendTemplate {
    const namespaceV2 = this.#namespaceV2
    return this.#native.sendTemplate(namespaceV2 === undefined ? fields : { ...fields, namespaceV2 }) as SendTemplate
  }

  /**
   * Sends a message. `pending` learns the end, exactly once, never during this call.
   * @throws ClientStateError when closed
   */
  send(address: string, template: SendTemplate, fields: SendFields, timeoutMs: number, pending: PendingSend): void {
    const channel = this.#channel(address)
    channel.writer.send(this.#register(pending), timeoutMs, template, fields)
    this.#submitSoon(channel)
  }

  /** Sends a message that nobody answers. */
  sendOneway(address: string, template: SendTemplate, fields: SendFields): void {
    const channel = this.#channel(address)
    channel.writer.send(NO_TOKEN, 0, template, fields)
    this.#submitSoon(channel)
  }

  /**
   * Sends a request and waits for the answer, whatever its code.
   * @throws ConnectionError, TimeoutError, BusyError, AbortedError, ClientStateError
   */
  async invoke(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    const answer = await this.#invokeOnce(address, request, options)
    // The peer is about to go; the channel makes another connection (`remoting/netty/NettyRemotingClient.java#invokeImpl`).
    return answer.code === ResponseCode.GO_AWAY ? this.#invokeOnce(address, request, options) : answer
  }

  #invokeOnce(address: string, request: RemotingRequest, options: InvokeOptions): Promise<RemotingCommand> {
    return this.#call<RemotingCommand>(address, `request ${request.code} to ${address}`, options, (writer, token) =>
      writer.invoke(token, options.timeoutMs, request.code, this.#withCommon(request.extFields), request.body)
    )
  }

  /** Sends a request that nobody answers. */
  invokeOneway(address: string, request: RemotingRequest): void {
    const channel = this.#channel(address)
    channel.writer.invoke(NO_TOKEN, 0, request.code, this.#withCommon(request.extFields), request.body)
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
    const pull = (): Promise<PulledBatch | RemotingCommand> =>
      this.#call(address, `pull from ${address}`, options, (writer, token) =>
        writer.pull(token, options.timeoutMs, this.#withCommon(extFields) ?? extFields, tags)
      )
    let answer = await pull()
    if (answer.code === ResponseCode.GO_AWAY) answer = await pull()
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
    for (const channel of this.#byIndex) this.#submit(channel)
    this.#native.close()
    this.#drain()
    clearInterval(this.#keepAlive)
    this.#keepAlive = undefined
    this.#channels.clear()
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
    this.#native.submit(channel.index, writer.bytes, writer.used)
    writer.reset()
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
      responded: (token, response) => this.#take(token)?.onResponse(response),
      pulled: (token, batch) => {
        const pending = this.#take(token)
        if (pending && 'onPulled' in pending) pending.onPulled(batch)
      },
      failed: (token, kind, message) => this.#take(token)?.onFailed(failure(kind, message)),
      requested: (index, opaque, oneway, request) => void this.#answer(index, opaque, oneway, request),
      closed: (address, reason) => this.#closeHandler(address, reason)
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
