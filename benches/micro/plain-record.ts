/** Message records in plain JavaScript, with IPv4 hosts: what the addon's codec is compared with. */
import { crc32 } from 'node:zlib'
import type { NativeRecord } from '#binding'

const MAGIC_V1 = 0xdaa320a7 | 0
const FIXED_BYTES = 91

function writeHost(out: Buffer, ip: string, port: number, at: number): number {
  const parts = ip.split('.')
  for (let i = 0; i < 4; i++) out[at + i] = Number(parts[i])
  return out.writeInt32BE(port, at + 4)
}

function readIp(bytes: Buffer, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
}

/** Encodes a record as the commit log has it. */
export function encodeRecord(record: NativeRecord): Buffer {
  const topicBytes = Buffer.byteLength(record.topic)
  const propertiesBytes = Buffer.byteLength(record.properties)
  const out = Buffer.allocUnsafe(FIXED_BYTES + record.body.length + topicBytes + propertiesBytes)
  let at = out.writeInt32BE(out.length)
  at = out.writeInt32BE(MAGIC_V1, at)
  at = out.writeInt32BE(crc32(record.body) & 0x7fff_ffff, at)
  at = out.writeInt32BE(record.queueId, at)
  at = out.writeInt32BE(record.flag, at)
  at = out.writeBigInt64BE(record.queueOffset, at)
  at = out.writeBigInt64BE(record.physicalOffset, at)
  at = out.writeInt32BE(record.sysFlag, at)
  at = out.writeBigInt64BE(BigInt(record.bornTimestamp), at)
  at = writeHost(out, record.bornHost, record.bornPort, at)
  at = out.writeBigInt64BE(BigInt(record.storeTimestamp), at)
  at = writeHost(out, record.storeHost, record.storePort, at)
  at = out.writeInt32BE(record.reconsumeTimes, at)
  at = out.writeBigInt64BE(record.preparedTransactionOffset, at)
  at = out.writeInt32BE(record.body.length, at)
  at += record.body.copy(out, at)
  at = out.writeUInt8(topicBytes, at)
  at += out.write(record.topic, at)
  at = out.writeInt16BE(propertiesBytes, at)
  out.write(record.properties, at)
  return out
}

/** Decodes the record at the start of `bytes`, checking its body's CRC. */
export function decodeRecord(bytes: Buffer): NativeRecord {
  const bodyEnd = 88 + bytes.readInt32BE(84)
  const body = bytes.subarray(88, bodyEnd)
  if ((crc32(body) & 0x7fff_ffff) !== bytes.readInt32BE(8)) throw new Error('the body is damaged')
  const topicEnd = bodyEnd + 1 + bytes.readUInt8(bodyEnd)
  return {
    topic: bytes.toString('utf8', bodyEnd + 1, topicEnd),
    queueId: bytes.readInt32BE(12),
    flag: bytes.readInt32BE(16),
    queueOffset: bytes.readBigInt64BE(20),
    physicalOffset: bytes.readBigInt64BE(28),
    sysFlag: bytes.readInt32BE(36),
    bornTimestamp: Number(bytes.readBigInt64BE(40)),
    bornHost: readIp(bytes, 48),
    bornPort: bytes.readInt32BE(52),
    storeTimestamp: Number(bytes.readBigInt64BE(56)),
    storeHost: readIp(bytes, 64),
    storePort: bytes.readInt32BE(68),
    reconsumeTimes: bytes.readInt32BE(72),
    preparedTransactionOffset: bytes.readBigInt64BE(76),
    body,
    properties: bytes.toString('utf8', topicEnd + 2, topicEnd + 2 + bytes.readInt16BE(topicEnd))
  }
}

/** Cuts a pulled body into its records, checking each. */
export function decodePulled(body: Buffer): NativeRecord[] {
  const records: NativeRecord[] = []
  for (let at = 0; at < body.length; at += body.readInt32BE(at)) records.push(decodeRecord(body.subarray(at)))
  return records
}
