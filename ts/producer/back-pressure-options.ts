import { bool, int, oneOf } from '../options.js'

/**
 * What a producer may have under way (`client/producer/DefaultMQProducer.java`). Java has these limits for sends with
 * callbacks only, and switched off; here they hold for all sends that are answered, and are on. A batch counts as one send.
 */
export const BACK_PRESSURE_OPTIONS = {
  /** Whether the limits hold; without them a connection's own are left, beyond which sends fail. @default true */
  enableBackpressureForAsyncMode: bool(true),
  /** Sends under way at a time. @default 32768 */
  backPressureForAsyncSendNum: int(32_768, 10),
  /** Bytes of bodies under way at a time; the send that exceeds them is the last. @default 104857600 */
  backPressureForAsyncSendSize: int(100 * 1024 * 1024, 1024 * 1024),
  /**
   * What becomes of a send beyond the limits: it waits for its turn, within its timeout, or fails at once; with a
   * BusyError when it fails. @default 'wait'
   */
  onBackPressure: oneOf(['wait', 'fail'], 'wait')
}
