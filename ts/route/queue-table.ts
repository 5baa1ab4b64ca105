import { MessageQueue } from '../message/message-queue.js'

/**
 * A map by queue as fastjson writes it, which has objects for keys: `{{"brokerName":"b","queueId":0,"topic":"T"}:10}`.
 * Other versions quote the object.
 */
const ENTRY = /(?:"((?:[^"\\]|\\.)*)"|(\{[^{}]*\}))\s*:\s*(-?\d+)/g

/** The entries, numbers by queue, of the first such map in a text. */
export function parseQueueTable(text: string): [mq: MessageQueue, value: number][] {
  const entries: [MessageQueue, number][] = []
  for (const [, quoted, raw, value] of text.matchAll(ENTRY)) {
    const key = raw ?? (JSON.parse(`"${quoted!}"`) as string)
    if (!key.startsWith('{')) continue
    const { topic, brokerName, queueId } = JSON.parse(key) as { topic: string; brokerName: string; queueId: number }
    entries.push([new MessageQueue(topic, brokerName, queueId), Number(value)])
  }
  return entries
}

/** The entries of `{"offsetTable":{...}}`, none of an empty one; `undefined` of a text that is not one, or ends in the middle. */
export function parseOffsetTable(text: string): [mq: MessageQueue, offset: number][] | undefined {
  const head = /^\s*\{\s*"?offsetTable"?\s*:\s*\{\s*(\})?/.exec(text)
  if (head === null) return undefined
  const entries = parseQueueTable(text)
  return entries.length > 0 || head[1] !== undefined ? entries : undefined
}

/** Such a map, with whatever for values. */
export function encodeQueueTable(entries: readonly (readonly [mq: MessageQueue, value: unknown])[]): string {
  return `{${entries.map(([mq, value]) => `${JSON.stringify(mq)}:${JSON.stringify(value)}`).join(',')}}`
}
