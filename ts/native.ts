/**
 * The only file that loads the addon; everything native passes through here.
 *
 * @packageDocumentation
 */
export {
  NativeChannels,
  compress,
  compressAsync,
  crc32,
  decodeFrame,
  decodePulledBody,
  decodeRecordBytes,
  decompress,
  encodeFrame,
  encodeRecordBytes,
  openMessageStore,
  readBrokerConf,
  rebuildStore,
  startBroker,
  startNameServer,
  verifyStore
} from '#binding'
export type {
  NativeBroker,
  NativeBrokerConf,
  NativeCredentials,
  NativeFrame,
  NativeMessageStore,
  NativeNameServer,
  NativeRecord,
  NativeRecoveryProgress,
  NativeShutdownSummary,
  NativeStoredQueue,
  NativeTls,
  NativeVerifyReport
} from '#binding'
