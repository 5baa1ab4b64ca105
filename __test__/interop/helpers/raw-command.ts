/**
 * One request over a socket of its own, in the JSON encoding, written by hand: what the harness asks of a server must
 * not depend on the client under test.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** What a server answered. */
export interface RawAnswer {
  /** The response code, 0 for success. */
  readonly code: number
  /** The server's words, mostly about an error. */
  readonly remark?: string
  /** The header fields. */
  readonly extFields?: Readonly<Record<string, string>>
  /** The body, perhaps empty. */
  readonly body: Buffer
}

function frameOf(code: number, extFields: Readonly<Record<string, string>>, body: Uint8Array): Buffer {
  const header = { code, extFields, flag: 0, language: 'OTHER', opaque: 1, serializeTypeCurrentRPC: 'JSON', version: 0 }
  const json = Buffer.from(JSON.stringify(header))
  const lengths = Buffer.alloc(8)
  lengths.writeInt32BE(4 + json.length + body.length)
  lengths.writeInt32BE(json.length, 4)
  return Buffer.concat([lengths, json, body])
}

/** The header is JSON whatever the server's default encoding: servers answer in that of the request, or in JSON. */
function parse(frame: Buffer): RawAnswer {
  const headerEnd = 8 + (frame.readInt32BE(4) & 0xff_ffff)
  const header = JSON.parse(frame.toString('utf8', 8, headerEnd)) as Omit<RawAnswer, 'body'>
  return { ...header, body: frame.subarray(headerEnd) }
}

/** Sends request `code` to 127.0.0.1:`port`, with TLS if given how, and resolves with the answer; rejects when the connection ends first. */
export async function rawCommand(
  port: number,
  code: number,
  extFields: Readonly<Record<string, string>> = {},
  body: Uint8Array = Buffer.alloc(0),
  tls?: ConnectionOptions
): Promise<RawAnswer> {
  const socket = tls === undefined ? connect(port, '127.0.0.1') : connectTls(port, '127.0.0.1', tls)
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect')
    socket.setNoDelay(true).write(frameOf(code, extFields, body))
    let received = Buffer.alloc(0)
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE()) return parse(received)
    }
    throw new Error(`127.0.0.1:${port} closed the connection on request ${code}`)
  } finally {
    socket.destroy()
  }
}

const GET_ROUTEINFO_BY_TOPIC = 105
const GET_BROKER_CLUSTER_INFO = 106

/** Whether a name server answers at `port`; rejects while it does not. */
export async function answers(port: number, tls?: ConnectionOptions): Promise<boolean> {
  await rawCommand(port, GET_BROKER_CLUSTER_INFO, {}, undefined, tls) // any answer will do
  return true
}

/** Whether the name server at `port` knows a broker that creates topics, which is the last thing a client needs. */
export async function brokerRegistered(port: number, tls?: ConnectionOptions): Promise<boolean> {
  const answer = await rawCommand(port, GET_ROUTEINFO_BY_TOPIC, { topic: 'TBW102' }, undefined, tls)
  return answer.code === 0
}

const PULL_MESSAGE = 11
const PULL_WITH_SUBSCRIPTION = '4'

/** The record that the broker at `port` has stored at one place, byte for byte. */
export async function storedRecord(port: number, topic: string, queueId: number, queueOffset: number): Promise<Buffer> {
  const answer = await rawCommand(port, PULL_MESSAGE, {
    consumerGroup: 'looks_at_records',
    topic,
    queueId: String(queueId),
    queueOffset: String(queueOffset),
    maxMsgNums: '1',
    sysFlag: PULL_WITH_SUBSCRIPTION,
    commitOffset: '0',
    suspendTimeoutMillis: '0',
    subscription: '*',
    subVersion: '0',
    expressionType: 'TAG'
  })
  if (answer.code !== 0)
    throw new Error(`no record at ${topic} ${queueId}/${queueOffset}: ${answer.code} ${answer.remark}`)
  return answer.body
}
