/** The load clients as the driver sees them. */
import { join } from 'node:path'
import { peerClassPath } from '../../__test__/interop/helpers/java-peer.js'
import { LineProcess } from '../../__test__/interop/helpers/line-process.js'
import { TemporaryDirectory } from '../../__test__/interop/helpers/owned.js'
import { repositoryRoot } from '../../__test__/interop/helpers/repository.js'
import type { SendMeasure } from './measures.js'

/** The outcome of one measured send. */
export interface SendOutcome {
  readonly acked: number
  readonly failed: number
  readonly seconds: number
  /** CPU of the main thread in user and kernel mode; of our client only. */
  readonly mainThreadSeconds?: number
  /** Latency percentiles in microseconds; only with one in flight. */
  readonly p50Us?: number
  readonly p99Us?: number
  readonly p999Us?: number
}

/** The outcome of one drain of a backlog. */
export interface DrainOutcome {
  readonly messages: number
  /** From the first message to the last. */
  readonly seconds: number
}

/** A load client in a process of its own, connected to one name server for as long as it lives. */
export class Load implements AsyncDisposable {
  private constructor(
    private readonly process: LineProcess,
    private readonly home?: TemporaryDirectory
  ) {}

  /** Our client: load-client.ts. */
  static async native(nameServer: string, topic: string, bodyBytes: number): Promise<Load> {
    const program = join(__dirname, 'load-client.js')
    return new Load(
      new LineProcess('our load client', process.execPath, [program, nameServer, topic, String(bodyBytes)])
    )
  }

  /** Apache's client: JavaLoad.java. */
  static async apache(nameServer: string, topic: string, bodyBytes: number): Promise<Load> {
    const home = new TemporaryDirectory()
    const classPath = await peerClassPath(join(repositoryRoot, 'benches', 'e2e', 'java'))
    const java = [`-Duser.home=${home.path}`, '-cp', classPath, 'JavaLoad', nameServer, topic, String(bodyBytes)]
    return new Load(new LineProcess("Apache's load client", 'java', java), home)
  }

  /** Its process id. */
  get pid(): number {
    return this.process.pid
  }

  /** Sends for so many seconds. */
  send({ inFlight, style, grouping }: SendMeasure, seconds: number): Promise<SendOutcome> {
    return this.process.ask('send', { inFlight, style, grouping, seconds })
  }

  /** Leaves `count` messages on a topic. */
  fill(topic: string, count: number): Promise<void> {
    return this.process.ask('fill', { topic, count })
  }

  /** Reads `count` messages of a topic as a new group. */
  drain(topic: string, group: string, count: number): Promise<DrainOutcome> {
    return this.process.ask('drain', { topic, group, count })
  }

  /** Kills it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.process[Symbol.asyncDispose]()
    this.home?.[Symbol.dispose]()
  }
}
