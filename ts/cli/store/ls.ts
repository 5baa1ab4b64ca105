import { counted, grouped, leaveWithReader, print } from '../terminal.js'
import { filesUnder } from '../../store/files.js'
import { openToRead } from './open.js'
import { size, table } from './table.js'

/** `rocketmq-native store ls` */
export async function ls(directory: string, options: { json?: boolean }): Promise<void> {
  leaveWithReader()
  await using store = await openToRead(directory)
  const { queues } = await store.stats()
  const files = await filesUnder(directory)
  if (options.json === true) {
    const plain = queues.map(({ topic, queueId, minOffset, maxOffset, depth }) => {
      const [min, max, messages] = [minOffset, maxOffset, depth].map(value => value.toString())
      return { topic, queueId, minOffset: min, maxOffset: max, depth: messages }
    })
    return print(JSON.stringify({ queues: plain, files }))
  }
  const queueRows = queues.map(({ topic, queueId, minOffset, maxOffset, depth }) => [
    topic,
    String(queueId),
    ...[minOffset, maxOffset, depth].map(value => grouped(value.toNumber()))
  ])
  for (const line of table(['topic', 'queue', 'min', 'max', 'messages'], queueRows)) print(line)
  print()
  const fileRows = files.map(({ path, bytes }) => [path, size(bytes)])
  for (const line of table(['file', 'size'], fileRows)) print(line)
  print()
  print(`${counted(queues.length, 'queue')}, ${counted(files.length, 'file')}`)
}
