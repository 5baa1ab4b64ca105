/** Apache's Java client in a process of its own; see PeerClient.java for what it can do. */
import { peerClassPath } from './java-peer.js'
import type { Client, GroupMember, JoinRequest, ProduceRequest, SentRow } from './client.js'
import { LineProcess } from './line-process.js'
import { TemporaryDirectory } from './owned.js'

/** The encoding of remoting headers a Java process uses. */
export type SerializeType = 'JSON' | 'ROCKETMQ'

/** A query by key. */
export interface FindRequest {
  readonly nameServer: string
  readonly cluster: string
  readonly topic: string
  readonly key: string
  readonly type: 'K' | 'T' | 'U'
}

const JVM_FLAGS = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Drives one PeerClient process. */
export class JavaClient implements Client {
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

  produce(request: ProduceRequest): Promise<SentRow[]> {
    return this.#process.ask('produce', { from: 0, ...request })
  }

  /** mqadmin updateTopic -b. */
  createTopic(request: { nameServer: string; brokerAddress: string; topic: string; queues: number }): Promise<void> {
    return this.#process.ask('createTopic', request)
  }

  /** mqadmin deleteTopic -c: from the brokers of the cluster and from the name server. */
  deleteTopic(request: { nameServer: string; cluster: string; topic: string }): Promise<void> {
    return this.#process.ask('deleteTopic', request)
  }

  /** mqadmin cleanUnusedTopic, cleanExpiredCQ and deleteExpiredCommitLog; whether all of them succeeded. */
  clean(request: { nameServer: string; brokerAddress: string }): Promise<boolean> {
    return this.#process.ask('clean', request)
  }

  /** mqadmin queryMsgByKey, by key (K) or tag (T), and queryMsgByUniqueKey (U): the msgIds of what is found. */
  find(request: FindRequest): Promise<string[]> {
    return this.#process.ask('find', request)
  }

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
