/** Apache's Java client in a process of its own; see PeerClient.java for what it can do. */
import { peerClassPath } from './java-peer.js'
import { LineProcess } from './line-process.js'
import { TemporaryDirectory } from './owned.js'

/** A SendResult as PeerClient reports it. */
export interface SentRow {
  readonly index: number
  readonly status: string
  readonly msgId: string
  readonly offsetMsgId: string | null
  readonly brokerName: string
  readonly queueId: number
  readonly queueOffset: number
}

/** A message as a consumer of either language reports it. */
export interface ReceivedRow {
  /** The index that the body begins with. */
  readonly index: number
  /** Length of the body. */
  readonly bytes: number
  /** CRC-32 of the body. */
  readonly crc32: number
  readonly msgId: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly tags: string | null
  readonly keys: string | null
  readonly uniqueKey: string | null
  readonly properties: Readonly<Record<string, string>>
  readonly bornTimestamp: number
  readonly storeTimestamp: number
}

/** What to produce: `count` messages with the bodies of bodies.ts, from index `from` on. */
export interface ProduceRequest {
  readonly nameServer: string
  readonly topic: string
  readonly group: string
  readonly from?: number
  readonly count: number
  readonly bytes: number
  readonly tags?: string
  /** Prefix of the keys; the index follows. */
  readonly keys?: string
  readonly properties?: Readonly<Record<string, string>>
  readonly compress?: 'ZLIB' | 'LZ4' | 'ZSTD'
  /** Messages a request: sent as batches. */
  readonly batch?: number
  readonly oneway?: boolean
  /** Send to this queue; needs `queueId` too. */
  readonly brokerName?: string
  readonly queueId?: number
}

/** Which group to join. */
export interface JoinRequest {
  readonly nameServer: string
  readonly topic: string
  readonly group: string
  /** Tags; all by default. */
  readonly expression?: string
}

/** A member of a consumer group, of whichever language. */
export interface GroupMember extends AsyncDisposable {
  /** What it received since it joined, once that is at least so many. */
  received(atLeast: number, timeoutMs?: number): Promise<ReceivedRow[]>
  /** The ids of the queues that it reads now, sorted. */
  assignment(): Promise<number[]>
}

/** The encoding of remoting headers a Java process uses. */
export type SerializeType = 'JSON' | 'ROCKETMQ'

const JVM_FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Drives one PeerClient process. */
export class JavaClient implements AsyncDisposable {
  readonly #home: TemporaryDirectory
  readonly #process: LineProcess
  #members = 0

  private constructor(classPath: string, serializeType: SerializeType, home: TemporaryDirectory) {
    this.#home = home
    const properties = [`-Duser.home=${home.path}`, `-Drocketmq.serialize.type=${serializeType}`]
    this.#process = new LineProcess('PeerClient', 'java', [...JVM_FLAGS, ...properties, '-cp', classPath, 'PeerClient'])
  }

  /** Starts the process; requests may follow at once. */
  static async start(serializeType: SerializeType = 'JSON'): Promise<JavaClient> {
    return new JavaClient(await peerClassPath(), serializeType, new TemporaryDirectory())
  }

  /** Sends messages; resolves with one row for each SendResult (none when oneway). */
  produce(request: ProduceRequest): Promise<SentRow[]> {
    return this.#process.ask('produce', { from: 0, ...request })
  }

  /** mqadmin updateTopic -b. */
  createTopic(request: { nameServer: string; brokerAddress: string; topic: string; queues: number }): Promise<void> {
    return this.#process.ask('createTopic', request)
  }

  /** Starts a push consumer that reads the topic from its first offset. */
  async join(request: JoinRequest): Promise<GroupMember> {
    const member = `member-${++this.#members}`
    await this.#process.ask('join', { ...request, member })
    return {
      received: (atLeast, timeoutMs = 60_000) => this.#process.ask('received', { member, atLeast, timeoutMs }),
      assignment: () => this.#process.ask('assignment', { member }),
      [Symbol.asyncDispose]: () => this.#process.ask('leave', { member })
    }
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]()
    this.#home[Symbol.dispose]()
  }
}
