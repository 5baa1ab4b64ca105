import { ProtocolError, toError } from '../errors.js'
import { RequestCode, ResponseCode } from '../remoting/request-code.js'
import type { RemotingCommand, RemotingResponse } from '../remoting/types.js'
import { encodeQueueTable, parseOffsetTable } from '../route/queue-table.js'
import type { ClientInstance } from './client-instance.js'
import { type QueueOffset, encodeConsumerRunningInfo } from './consumer-info.js'
import { receiveReply } from './reply-receiver.js'
import { receiveTransactionCheck } from './transaction-check.js'

/** How Java names the version this client reports in its requests (`common/MQVersion.java`). */
const CLIENT_VERSION = 'V5_5_0'

/** Answers what brokers ask of a client (`impl/ClientRemotingProcessor.java`). */
export class ClientRemotingProcessor {
  readonly #instance: ClientInstance

  constructor(instance: ClientInstance) {
    this.#instance = instance
  }

  /**
   * Answers one request; undefined for codes that are not known here, which the broker is told.
   *
   * @throws what a consumer throws; the broker gets it as SYSTEM_ERROR
   */
  async processRequest(address: string, request: RemotingCommand): Promise<RemotingResponse | undefined> {
    switch (request.code) {
      case RequestCode.NOTIFY_CONSUMER_IDS_CHANGED:
        this.#instance.rebalanceImmediately()
        return { code: ResponseCode.SUCCESS }
      case RequestCode.RESET_CONSUMER_CLIENT_OFFSET:
        return this.#resetOffset(address, request)
      case RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT:
        return this.#consumerStatus(request)
      case RequestCode.GET_CONSUMER_RUNNING_INFO:
        return this.#consumerRunningInfo(request)
      case RequestCode.CONSUME_MESSAGE_DIRECTLY:
        return this.#consumeMessageDirectly(request)
      case RequestCode.CHECK_TRANSACTION_STATE:
        return receiveTransactionCheck(this.#instance.transactionChecks, this.#instance.report, address, request)
      case RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT:
        return receiveReply(this.#instance.awaitedReplies, request)
      default:
        return undefined
    }
  }

  /** Oneway: what fails is reported here, the broker does not wait. */
  async #resetOffset(address: string, { extFields, body }: RemotingCommand): Promise<RemotingResponse> {
    const { topic = '', group = '' } = extFields
    try {
      const offsets = readOffsets(body.toString())
      await this.#instance.selectConsumer(group)?.resetOffset(topic, offsets)
    } catch (error) {
      this.#instance.report(toError(error), `resetting offsets of topic ${topic} for ${address}`)
    }
    return { code: ResponseCode.SUCCESS }
  }

  /** A group that is not here has no offsets, as in Java. */
  #consumerStatus({ extFields }: RemotingCommand): RemotingResponse {
    const { topic = '', group = '' } = extFields
    const offsets = this.#instance.selectConsumer(group)?.offsetsOf(topic) ?? []
    const table = encodeQueueTable(offsets.map(({ mq, offset }) => [mq, offset]))
    return { code: ResponseCode.SUCCESS, body: Buffer.from(`{"consumerTable":{},"messageQueueTable":${table}}`) }
  }

  async #consumerRunningInfo({ extFields }: RemotingCommand): Promise<RemotingResponse> {
    const { consumerGroup = '', jstackEnable } = extFields
    const consumer = this.#instance.selectConsumer(consumerGroup)
    if (consumer === undefined) return noSuchGroup(consumerGroup)
    const { addresses } = this.#instance.nameServerApi.nameServers
    const jstack = jstackEnable === 'true' ? whatTheProcessDoes() : undefined
    const body = encodeConsumerRunningInfo(await consumer.runningInfo(), addresses, CLIENT_VERSION, jstack)
    return { code: ResponseCode.SUCCESS, body }
  }

  async #consumeMessageDirectly({ extFields, body }: RemotingCommand): Promise<RemotingResponse> {
    const { consumerGroup = '', brokerName = '' } = extFields
    const consumer = this.#instance.selectConsumer(consumerGroup)
    if (consumer === undefined) return noSuchGroup(consumerGroup)
    const result = await consumer.consumeMessageDirectly(body, brokerName)
    return { code: ResponseCode.SUCCESS, body: Buffer.from(JSON.stringify(result)) }
  }
}

/** The offsets of a `ResetOffsetBody`. @throws ProtocolError when it has no table of them; one may be empty */
function readOffsets(body: string): QueueOffset[] {
  const offsets = parseOffsetTable(body)
  if (offsets !== undefined) return offsets.map(([mq, offset]) => ({ mq, offset }))
  throw new ProtocolError(
    `no offset was reset: the body of the request holds no offset table, but ${JSON.stringify(body.slice(0, 100))}; reset the ` +
      'offsets again (mqadmin resetOffsetByTime)'
  )
}

function noSuchGroup(group: string): RemotingResponse {
  return { code: ResponseCode.SYSTEM_ERROR, remark: `The Consumer Group <${group}> not exist in this consumer` }
}

/** In the place of the stacks of Java's threads: JavaScript has one thread, and it is here; what it waits for says more. */
function whatTheProcessDoes(): string {
  const counts = new Map<string, number>()
  for (const resource of process.getActiveResourcesInfo()) counts.set(resource, (counts.get(resource) ?? 0) + 1)
  const resources = [...counts].map(([name, count]) => `  ${name}: ${count}`)
  const { rss, heapUsed } = process.memoryUsage()
  return [
    `Node.js ${process.version}, pid ${process.pid}, up ${Math.round(process.uptime())} s`,
    `memory: ${rss} bytes, heap ${heapUsed} bytes`,
    'waiting for:',
    ...resources
  ].join('\n')
}
