/**
 * The only file that loads the addon; everything native passes through here.
 *
 * @packageDocumentation
 */
export {
  NativeChannels,
  compress,
  crc32,
  decodeFrame,
  decodePulledBody,
  decodeRecordBytes,
  decompress,
  encodeFrame,
  encodeRecordBytes
} from '#binding'
export type { NativeFrame, NativeRecord } from '#binding'
