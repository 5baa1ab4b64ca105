import { rmSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'

/** Those that are there. One listener for all of them, as Node warns of more than ten. */
const directories = new Set<string>()

/** Makes a directory that goes with the process at the latest: also when that ends by an error that nobody caught. */
export async function makeTemporaryDirectory(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 })
  if (directories.size === 0) process.on('exit', removeAll)
  directories.add(directory)
}

/** Removes it with all that is in it. */
export async function removeTemporaryDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
  directories.delete(directory)
  if (directories.size === 0) process.removeListener('exit', removeAll)
}

function removeAll(): void {
  for (const directory of directories) {
    try {
      // A broker may still be writing: a directory that got a file meanwhile is tried again.
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    } catch (error) {
      process.stderr.write(
        `rocketmq-native: the temporary directory ${directory} could not be removed: ${String(error)}\n`
      )
    }
  }
}
