import { MessageStore } from '../../store/message-store.js'
import { RecoveryDisplay } from '../recovery-display.js'

/** Opens a store to be read; a recovery that takes long is shown. */
export async function openToRead(directory: string): Promise<MessageStore> {
  const recovery = new RecoveryDisplay(process.stderr)
  return MessageStore.open({ directory, readOnly: true, onRecovery: recovery.update }).finally(() => recovery.end())
}
