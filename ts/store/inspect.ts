import { type NativeVerifyReport, rebuildStore, verifyStore } from '../native.js'
import { storeError } from './message-store.js'

/** What was found in the files of a stopped store. */
export type VerifyReport = NativeVerifyReport

/** Hears of the bytes that are done, and of all. */
export type Progress = (done: number, total: number) => void

/** Checks every record of the commit log, every unit of the consume queues and every item of the index; writes nothing. */
export async function verify(directory: string, onProgress: Progress): Promise<VerifyReport> {
  try {
    return await verifyStore(directory, ([done = 0, total = 0]) => onProgress(done, total))
  } catch (error) {
    throw storeError(error)
  }
}

/** Makes the consume queues and the index anew from a commit log without faults. Interrupted, it is completed by the next start. */
export async function rebuild(directory: string, onProgress: Progress): Promise<VerifyReport> {
  try {
    return await rebuildStore(directory, ([done = 0, total = 0]) => onProgress(done, total))
  } catch (error) {
    throw storeError(error)
  }
}
