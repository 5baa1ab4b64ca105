import type { NativeRecoveryProgress } from '../native.js'
import { type OptionsInput, type OptionsOf, bool, int, oneOf, optionalFunction, optionalInt, str } from '../options.js'

/** Options of {@link MessageStore.open}. Apache's names of settings stand in brackets. */
export const STORE_OPTIONS = {
  /** Directory of the store, made if missing [`storePathRootDir`]. Required. */
  directory: str(''),
  /** Only look: nothing in the directory is written, made or locked. @default false */
  readOnly: bool(false),
  /** What `put()` waits for: the page cache, or an fdatasync unless the message says WAIT=false [`flushDiskType`]. @default 'ASYNC_FLUSH' */
  flushDiskType: oneOf(['ASYNC_FLUSH', 'SYNC_FLUSH'] as const, 'ASYNC_FLUSH'),
  /**
   * How long `put()` waits for the fdatasync of SYNC_FLUSH; then it resolves with FLUSH_DISK_TIMEOUT [`syncFlushTimeout`].
   * @default 5000
   */
  syncFlushTimeoutMs: int(5_000, 1, 2 ** 31 - 1),
  /** How often the commit log is flushed when nobody waits [`flushIntervalCommitLog`]. @default 500 */
  flushIntervalMs: int(500, 1, 2 ** 31 - 1),
  /** Length of a commit log file [`mappedFileSizeCommitLog`]. @default that of the files there are, else 1 GiB */
  commitLogFileBytes: optionalInt(1_024, 2 ** 31 - 1),
  /** Length of a consume queue file [`mappedFileSizeConsumeQueue`]. @default that of the files there are, else 6,000,000 */
  consumeQueueFileBytes: optionalInt(20, 2 ** 40),
  /**
   * Commit log files are deleted so long after their last write, by the rules of a broker, and earlier when the disk fills
   * up [`fileReservedTime`]. @default nothing is deleted
   */
  fileReservedTimeHours: optionalInt(0, 2 ** 31 - 1),
  /**
   * Puts are refused while more than so many percent of the disk are used; with 100 until a write fails. @default as a
   * broker's [`diskSpaceWarningLevelRatio`]: above 90, until 85 are not exceeded any more
   */
  diskFullRatio: optionalInt(1, 100),
  /** Hears how far the recovery of an unclean stop is, when each phase begins and then at most every 200 ms. */
  onRecovery: optionalFunction<(progress: NativeRecoveryProgress) => void>(),
  /** Largest body [`maxMessageSize`]. @default 4194304 */
  maxMessageBytes: int(4 * 1024 * 1024, 1, 2 ** 30),
  /** What messages without a host of their own name as born and store host, `ip:port`. @default '127.0.0.1:10911' */
  storeHost: str('127.0.0.1:10911')
}

/** How a store is opened. */
export type MessageStoreOptions = OptionsInput<typeof STORE_OPTIONS> & { directory: string }

/** The checked options. */
export type StoreSettings = OptionsOf<typeof STORE_OPTIONS>
