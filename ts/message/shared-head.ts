import { UNIQ_KEY_HEAD, encodePropertiesHead } from './message.js'
import type { Message } from './message.js'
import { UNIQUE_ID_TAIL_LENGTH, writeUniqueIdTail } from './message-id.js'

/** Room for tags of some length; longer ones get more. */
const ROOM_BYTES = 512
const NO_ID_TAIL = '0'.repeat(UNIQUE_ID_TAIL_LENGTH)

/**
 * The head of encoded properties for one message after the other: made once for all of a kind and a millisecond, which differ in
 * the counter of their unique ids only.
 */
export class SharedHead {
  #room = Buffer.allocUnsafeSlow(ROOM_BYTES)
  /** The part of it that is written, for messages with the following. */
  #bytes = this.#room.subarray(0, 0)
  #idHead = ''
  #tags: string | undefined
  #waitStoreMsgOK = true

  /**
   * Writes all properties of a message into a buffer that has the room, and returns their bytes.
   *
   * @param idHead and `count`: its unique id (`uniqueIdHead`, `nextUniqueCount`)
   * @param rest what is behind the head
   */
  write(
    buffer: Buffer,
    at: number,
    message: Pick<Message, 'waitStoreMsgOK' | 'tags'>,
    idHead: string,
    count: number,
    rest: string
  ): number {
    const head = this.#of(message, idHead, count)
    buffer.set(head, at)
    return rest === '' ? head.length : head.length + buffer.write(rest, at + head.length, 'utf8')
  }

  /** Bytes that the next call writes over. */
  #of({ waitStoreMsgOK, tags }: Pick<Message, 'waitStoreMsgOK' | 'tags'>, idHead: string, count: number): Buffer {
    if (idHead !== this.#idHead || tags !== this.#tags || waitStoreMsgOK !== this.#waitStoreMsgOK) {
      const text = encodePropertiesHead(idHead + NO_ID_TAIL, waitStoreMsgOK, tags)
      if (text.length * 3 > this.#room.length) this.#room = Buffer.allocUnsafeSlow(text.length * 3)
      this.#bytes = this.#room.subarray(0, this.#room.write(text, 0, 'utf8'))
      this.#idHead = idHead
      this.#tags = tags
      this.#waitStoreMsgOK = waitStoreMsgOK
    }
    writeUniqueIdTail(this.#bytes, UNIQ_KEY_HEAD.length + idHead.length, count)
    return this.#bytes
  }
}
