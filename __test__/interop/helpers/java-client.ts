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

/** What Apache's client got for a request. */
export interface JavaReply {
  readonly body: string
  readonly topic: string
  readonly properties: Readonly<Record<string, string>>
}

/** A group of transaction producers, and what it sends to. */
export interface TransactionGroup {
  readonly group: string
  readonly topic: string
}

/** A member of such a group. */
export interface JavaTransactions {
  /** Sends a half message that is left to a check; its transaction id. */
  send(body: string): Promise<string>
  /** Ends it; the ids of the transactions that it was asked for. */
  leave(): Promise<string[]>
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

  /** Apache's consumer and producer that answer every request of a topic with `re: ` and its body. */
  async startReplier(request: { nameServer: string; topic: string }): Promise<AsyncDisposable> {
    await this.#process.ask('startReplier', request)
    return {
      [Symbol.asyncDispose]: async () => {
        const failures = await this.#process.ask<string[]>('endReplier', request)
        if (failures.length > 0) throw new Error(`Apache's replier failed: ${failures.join('; ')}`)
      }
    }
  }

  /** Apache's `DefaultMQProducer#request`. */
  request(request: { nameServer: string; topic: string; body: string; timeoutMs: number }): Promise<JavaReply> {
    return this.#process.ask('request', request)
  }

  /** Apache's `TransactionMQProducer`, whose local transactions are UNKNOW and whose checks all give one state. */
  async joinTransactions(request: TransactionGroup & { nameServer: string; state: string }): Promise<JavaTransactions> {
    await this.#process.ask('joinTransactions', request)
    return {
      send: body => this.#process.ask('sendInTransaction', { ...request, body }),
      leave: () => this.#process.ask('leaveTransactions', request)
    }
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
