import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ErrorReporter } from '../diagnostics.js'
import { ProtocolError, toError } from '../errors.js'
import type { MessageQueue } from '../message/message-queue.js'
import { parseOffsetTable } from '../route/queue-table.js'
import { OffsetTable } from './offset-store.js'

/**
 * The offsets of a broadcasting consumer, which are its own and lie in a file, `offsets.json`, in Apache's format
 * (`client/consumer/store/LocalFileOffsetStore.java`). The file before it is kept as `.bak`.
 */
export class LocalFileOffsetStore extends OffsetTable {
  readonly #path: string
  readonly #report: ErrorReporter
  /** What the file says. */
  readonly #stored = new Map<string, { mq: MessageQueue; offset: number }>()
  #writes: Promise<void> = Promise.resolve()

  private constructor(path: string, report: ErrorReporter) {
    super()
    this.#path = path
    this.#report = report
  }

  /**
   * Reads the file in `directory`, or its backup when it is missing or unreadable.
   *
   * @throws ProtocolError when neither is readable but one is there
   */
  static async load(directory: string, report: ErrorReporter): Promise<LocalFileOffsetStore> {
    const path = join(directory, 'offsets.json')
    const store = new LocalFileOffsetStore(path, report)
    let unreadable: unknown
    for (const candidate of [path, `${path}.bak`]) {
      try {
        store.#read(await readFile(candidate, 'utf8'))
        return store
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unreadable = error
      }
    }
    if (unreadable === undefined) return store
    throw new ProtocolError(`the offsets in ${path} and its backup are not readable`, { cause: unreadable })
  }

  async readFromStore(mq: MessageQueue): Promise<number> {
    const found = this.#stored.get(mq.key)
    if (found === undefined) return -1
    this.update(mq, found.offset, false)
    return found.offset
  }

  persist(mq: MessageQueue): void {
    this.persistAll(new Set([mq.key]))
  }

  persistAll(queueKeys: ReadonlySet<string>): void {
    for (const key of queueKeys) {
      const entry = this.table.get(key)
      if (entry !== undefined) this.#stored.set(key, { mq: entry.mq, offset: entry.offset })
    }
    if (this.#stored.size === 0) return
    this.#writes = this.#writes
      .then(() => this.#write())
      .catch((error: unknown) => this.#report(toError(error), `writing ${this.#path}`))
  }

  flush(queueKeys: ReadonlySet<string>): Promise<void> {
    this.persistAll(queueKeys)
    return this.#writes
  }

  #read(text: string): void {
    const offsets = parseOffsetTable(text)
    if (offsets === undefined) throw new ProtocolError(`${this.#path} has no offsetTable`)
    for (const [mq, offset] of offsets) this.#stored.set(mq.key, { mq, offset })
  }

  async #write(): Promise<void> {
    const entries = [...this.#stored.values()].map(({ mq, offset }) => `${JSON.stringify(mq)}:${offset}`)
    await mkdir(dirname(this.#path), { recursive: true })
    await writeFile(`${this.#path}.tmp`, `{\n\t"offsetTable":{${entries.join(',\n\t\t')}\n\t}\n}`)
    await rename(this.#path, `${this.#path}.bak`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
    })
    await rename(`${this.#path}.tmp`, this.#path)
  }
}
