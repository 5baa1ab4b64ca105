/** Frames in plain JavaScript: what the addon's codec is compared with. Only the ROCKETMQ header encoding. */
import type { NativeFrame } from '#binding'

const FIXED_HEADER_BYTES = 21
const ROCKETMQ = 1

/** Encodes one frame. */
export function encodeFrame(frame: NativeFrame): Buffer {
  const remarkBytes = frame.remark === undefined ? 0 : Buffer.byteLength(frame.remark)
  const fields = Object.entries(frame.extFields).toSorted(([a], [b]) => (a < b ? -1 : 1))
  let extBytes = 0
  for (const [key, value] of fields) extBytes += 6 + Buffer.byteLength(key) + Buffer.byteLength(value)
  const headerBytes = FIXED_HEADER_BYTES + remarkBytes + extBytes
  const out = Buffer.allocUnsafe(8 + headerBytes + frame.body.length)
  let at = out.writeInt32BE(out.length - 4)
  at = out.writeInt32BE((ROCKETMQ << 24) | headerBytes, at)
  at = out.writeInt16BE(frame.code, at)
  at = out.writeUInt8(frame.language, at)
  at = out.writeInt16BE(frame.version, at)
  at = out.writeInt32BE(frame.opaque, at)
  at = out.writeInt32BE(frame.flag, at)
  at = out.writeInt32BE(remarkBytes, at)
  if (frame.remark !== undefined) at += out.write(frame.remark, at)
  at = out.writeInt32BE(extBytes, at)
  for (const [key, value] of fields) {
    at = out.writeInt16BE(Buffer.byteLength(key), at)
    at += out.write(key, at)
    at = out.writeInt32BE(Buffer.byteLength(value), at)
    at += out.write(value, at)
  }
  frame.body.copy(out, at)
  return out
}

/** Decodes exactly one frame. */
export function decodeFrame(bytes: Buffer): NativeFrame {
  const headerEnd = 8 + (bytes.readInt32BE(4) & 0xff_ffff)
  const remarkBytes = bytes.readInt32BE(21)
  let at = 25 + remarkBytes
  const remark = bytes.toString('utf8', 25, at)
  const extEnd = at + 4 + bytes.readInt32BE(at)
  at += 4
  const extFields: Record<string, string> = {}
  while (at < extEnd) {
    const keyEnd = at + 2 + bytes.readInt16BE(at)
    const key = bytes.toString('utf8', at + 2, keyEnd)
    at = keyEnd + 4 + bytes.readInt32BE(keyEnd)
    extFields[key] = bytes.toString('utf8', keyEnd + 4, at)
  }
  return {
    serializeType: 'ROCKETMQ',
    code: bytes.readInt16BE(8),
    language: bytes.readUInt8(10),
    version: bytes.readInt16BE(11),
    opaque: bytes.readInt32BE(13),
    flag: bytes.readInt32BE(17),
    ...(remarkBytes > 0 ? { remark } : {}),
    extFields,
    body: bytes.subarray(headerEnd)
  }
}
