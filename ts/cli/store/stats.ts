import { counted, grouped, leaveWithReader, print } from '../terminal.js'
import { openToRead } from './open.js'
import { printable, size } from './table.js'

/** `rocketmq-native store stats` */
export async function stats(directory: string, options: { json?: boolean }): Promise<void> {
  leaveWithReader()
  await using store = await openToRead(directory)
  const found = await store.stats()
  if (options.json === true) {
    // Longs as text: JSON numbers lose digits.
    return print(JSON.stringify(found, (_, value: unknown) => (isLong(value) ? String(value) : value)))
  }
  const { commitLog, consumeQueue, index, topics, queues, depth } = found
  const deepest = queues.reduce<(typeof queues)[number] | undefined>(
    (most, queue) => (most === undefined || queue.depth.gt(most.depth) ? queue : most),
    undefined
  )
  print(
    `messages        ${grouped(depth.toNumber())} in ${counted(queues.length, 'queue')} of ${counted(topics, 'topic')}`
  )
  if (deepest !== undefined) {
    print(`deepest queue   ${printable(deepest.topic)}/${deepest.queueId} with ${grouped(deepest.depth.toNumber())}`)
  }
  const [min, max] = [commitLog.minOffset, commitLog.maxOffset]
  print(`commit log      ${files(commitLog)}; ${grouped(min.toNumber())} to ${grouped(max.toNumber())}`)
  print(`consume queues  ${files(consumeQueue)}`)
  print(`index           ${files(index)}`)
}

function files(kind: { files: number; bytes: number }): string {
  return `${counted(kind.files, 'file')}, ${size(kind.bytes)}`
}

function isLong(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '__isLong__' in value
}
