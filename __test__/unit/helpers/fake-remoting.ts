import Long from 'long'
import type { ClientConfig } from '../../../ts/client/client-config.js'
import { ClientRegistry } from '../../../ts/client/client-registry.js'
import type { Remoting } from '../../../ts/client/remoting.js'
import type { RequestHandler } from '../../../ts/remoting/remoting-client.js'
import type {
  ExtField,
  InvokeOptions,
  PendingSend,
  PulledBatch,
  RemotingCommand,
  RemotingRequest,
  SendFields,
  SendTemplate,
  SendTemplateFields
} from '../../../ts/remoting/types.js'

/** What a fake peer answers; an Error is a failure of the transport. */
export type FakeAnswer = Partial<RemotingCommand> | Error

/** A request that was made. */
export interface FakeRequest {
  readonly address: string
  readonly code: number
  readonly remark: string | undefined
  readonly extFields: Readonly<Record<string, ExtField>>
  readonly body: Buffer
}

/** A send that was made; its end is up to the test. */
export interface FakeSend {
  readonly address: string
  readonly template: SendTemplateFields
  /** As they were handed over. */
  readonly fields: SendFields & { readonly properties: string }
  readonly timeoutMs: number
  readonly pending: PendingSend
}

/** A pull that waits for the test. */
export interface FakePull {
  readonly address: string
  readonly extFields: Readonly<Record<string, ExtField>>
  readonly tags: readonly string[] | undefined
  answer(batch: Partial<PulledBatch>): void
  fail(error: Error): void
}

/** A remoting client without sockets: requests are answered by functions of the test, sends and pulls wait for it. */
export class FakeRemoting implements Remoting {
  readonly requests: FakeRequest[] = []
  readonly oneways: FakeRequest[] = []
  readonly sends: FakeSend[] = []
  readonly onewaySends: Omit<FakeSend, 'timeoutMs' | 'pending'>[] = []
  readonly pulls: FakePull[] = []
  /** Answers by request code; a code without one is answered with success. */
  readonly answers = new Map<number, (request: FakeRequest) => FakeAnswer | Promise<FakeAnswer>>()
  /** Called for each send. */
  onSend: (send: FakeSend) => void = () => undefined
  /** Called for each pull. */
  onPull: (pull: FakePull) => void = () => undefined
  requestHandler: RequestHandler = () => undefined
  closeHandler: (address: string, reason: string) => void = () => undefined
  closed = false
  /** Addresses whose connections were given up. */
  readonly left: string[] = []
  readonly #templates: SendTemplateFields[] = []

  sendTemplate(fields: SendTemplateFields): SendTemplate {
    return (this.#templates.push(fields) - 1) as SendTemplate
  }

  get templateCount(): number {
    return this.#templates.length
  }

  send(address: string, template: SendTemplate, fields: SendFields, timeoutMs: number, pending: PendingSend): void {
    const send = { address, template: this.#templates[template]!, fields: asText(fields), timeoutMs, pending }
    this.sends.push(send)
    queueMicrotask(() => this.onSend(send))
  }

  sendOneway(address: string, template: SendTemplate, fields: SendFields): void {
    this.onewaySends.push({ address, template: this.#templates[template]!, fields: asText(fields) })
  }

  async invoke(address: string, request: RemotingRequest, _options: InvokeOptions): Promise<RemotingCommand> {
    const made = toRequest(address, request)
    this.requests.push(made)
    const answer = (await this.answers.get(request.code)?.(made)) ?? {}
    if (answer instanceof Error) throw answer
    return { code: 0, version: 513, remark: undefined, extFields: {}, body: Buffer.alloc(0), ...answer }
  }

  invokeOneway(address: string, request: RemotingRequest): void {
    this.oneways.push(toRequest(address, request))
  }

  pull(
    address: string,
    extFields: Readonly<Record<string, ExtField>>,
    tags: readonly string[] | undefined
  ): Promise<PulledBatch> {
    return new Promise((resolve, reject) => {
      const pull: FakePull = {
        address,
        extFields,
        tags,
        answer: batch => resolve({ ...EMPTY_BATCH, ...batch }),
        fail: reject
      }
      this.pulls.push(pull)
      this.onPull(pull)
    })
  }

  setRequestHandler(handler: RequestHandler): void {
    this.requestHandler = handler
  }

  setCloseHandler(handler: (address: string, reason: string) => void): void {
    this.closeHandler = handler
  }

  leave(address: string): void {
    this.left.push(address)
  }

  async close(): Promise<void> {
    this.closed = true
  }

  /** Offsets that were stored (UPDATE_CONSUMER_OFFSET): those without an answer, then those with one. */
  get offsetUpdates(): FakeRequest[] {
    return [...this.oneways, ...this.requests].filter(({ code }) => code === 15)
  }

  /** Requests of one code. */
  requestsOf(code: number): FakeRequest[] {
    return this.requests.filter(request => request.code === code)
  }

  /** Makes name servers know a topic: `{ 'broker-a': 4 }` has four queues on broker-a, whose master is `broker-a:10911`. */
  route(topics: Readonly<Record<string, Readonly<Record<string, number>>>>): void {
    this.answers.set(105, ({ extFields }) => {
      const brokers = topics[String(extFields['topic'])]
      return brokers === undefined ? { code: 17, remark: 'No topic route info' } : { body: routeBody(brokers) }
    })
  }
}

const EMPTY_BATCH: PulledBatch = {
  code: 0,
  remark: undefined,
  nextBeginOffset: Long.ZERO,
  minOffset: Long.ZERO,
  maxOffset: Long.ZERO,
  suggestWhichBrokerId: 0,
  offsetDelta: Long.ZERO,
  messageCount: 0,
  messages: Buffer.alloc(0),
  unreadable: undefined
}

function toRequest(
  address: string,
  { code, remark, extFields = {}, body = Buffer.alloc(0) }: RemotingRequest
): FakeRequest {
  return { address, code, remark, extFields, body: Buffer.from(body) }
}

/** The body of a route answer. */
export function routeBody(brokers: Readonly<Record<string, number>>, perm = 6): Buffer {
  return Buffer.from(
    JSON.stringify({
      brokerDatas: Object.keys(brokers).map(brokerName => ({
        brokerAddrs: { 0: `${brokerName}:10911` },
        brokerName,
        cluster: 'C'
      })),
      queueDatas: Object.entries(brokers).map(([brokerName, queues]) => ({
        brokerName,
        perm,
        readQueueNums: queues,
        writeQueueNums: queues
      }))
    })
  )
}

/** A registry whose instances use this remoting. */
export function registryOf(remoting: FakeRemoting): ClientRegistry {
  return new ClientRegistry((_config: ClientConfig) => remoting)
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>(resolve => setImmediate(resolve))
}

function asText({ sysFlag, flag, bornTimestampMs, properties, body, reconsumeTimes }: SendFields): FakeSend['fields'] {
  return { sysFlag, flag, bornTimestampMs, properties: String(properties), body, reconsumeTimes }
}
