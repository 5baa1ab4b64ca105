import { NativeChannels } from '../native.js'
import { type CompletionSink, CompletionReader } from './completion-reader.js'
import type { RemotingClientOptions, SendTemplateFields } from './types.js'

const COMPLETION_BYTES = 256 * 1024

/**
 * Native channels and what reads their completions. A client has one for all its addresses; an address whose peer asked for
 * another connection gets a new one of its own, while the old one still brings what is under way.
 */
export class NativeLink {
  readonly native: NativeChannels
  /** By number of their channel. */
  readonly addresses: string[] = []
  readonly #reader: CompletionReader
  #completions = Buffer.allocUnsafeSlow(COMPLETION_BYTES)

  /** @param templates those of the client, so that their numbers are the same on every link */
  constructor(
    options: RemotingClientOptions,
    templates: readonly SendTemplateFields[],
    sinkOf: (link: NativeLink) => CompletionSink
  ) {
    this.native = new NativeChannels(
      {
        connectTimeoutMs: options.connectTimeoutMs ?? 3000,
        jsonHeaders: options.serializeType === 'JSON',
        maxFrameBytes: options.maxFrameBytes ?? 16 * 1024 * 1024,
        maxPendingRequests: options.maxPendingRequests ?? 65535,
        maxPendingBytes: options.maxPendingBytes ?? 128 * 1024 * 1024
      },
      () => this.drain()
    )
    this.#reader = new CompletionReader(sinkOf(this), index => this.native.takeBody(index))
    this.#reader.use(this.#completions)
    for (const template of templates) this.native.sendTemplate(template)
  }

  /** The number of the channel to an address. */
  channel(address: string): number {
    const index = this.native.channel(address)
    this.addresses[index] = address
    return index
  }

  /** Fetches and hands out completions until there are none. */
  drain(): void {
    for (;;) {
      const bytes = this.native.fetch(this.#completions)
      if (bytes === 0) return
      if (bytes > this.#completions.length) {
        this.#completions = Buffer.allocUnsafeSlow(bytes)
        this.#reader.use(this.#completions)
      } else {
        this.#reader.read(bytes)
      }
    }
  }
}
