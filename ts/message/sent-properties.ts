import { encodePropertiesHead } from './message.js'
import type { Message } from './message.js'
import { SOME_UNIQUE_ID, uniqueIdTail } from './message-id.js'
import { isSurelyShort } from './properties.js'
import { SharedHead } from './shared-head.js'

/**
 * The encoded properties of a message with the unique id of one send, as the message was when this was made. They become a text
 * only for who asks for one: to write them as bytes, most of which are those of the message before, takes a third of the time.
 */
export class SentProperties {
  readonly waitStoreMsgOK: boolean
  readonly tags: string | undefined
  readonly #idHead: string
  readonly #count: number
  readonly #rest: string

  /**
   * @param idHead and `count`: the unique id (`uniqueIdHead`, `nextUniqueCount`)
   * @throws InvalidArgumentError above 32767 bytes
   */
  constructor(message: Message, idHead: string, count: number) {
    this.waitStoreMsgOK = message.waitStoreMsgOK
    this.tags = message.tags
    this.#idHead = idHead
    this.#count = count
    this.#rest = checkedPropertiesRest(message)
  }

  /** As {@link Message.encodeProperties} has them. */
  toString(): string {
    return encodePropertiesHead(this.#idHead + uniqueIdTail(this.#count), this.waitStoreMsgOK, this.tags) + this.#rest
  }

  /** UTF-16 units, or a few more; none takes more than three bytes. */
  get unitsAtMost(): number {
    return propertiesUnitsAtMost(this.tags, this.#rest)
  }

  /** Writes them into a buffer that has the room, and returns their bytes. */
  writeTo(buffer: Buffer, at: number): number {
    return sharedHead.write(buffer, at, this, this.#idHead, this.#count, this.#rest)
  }
}

/** Used at a stretch by one after the other. */
const sharedHead = new SharedHead()

/** The head of the properties, its tags aside. */
const MAX_HEAD_UNITS = encodePropertiesHead(SOME_UNIQUE_ID, false, '').length

/**
 * What a message has behind the head of its properties.
 *
 * @throws InvalidArgumentError when all its properties together are too long
 */
export function checkedPropertiesRest(message: Message): string {
  const rest = message.encodePropertiesRest()
  // Only where they may be too long the properties are put together as a whole.
  if (!isSurelyShort(propertiesUnitsAtMost(message.tags, rest))) message.encodeProperties(SOME_UNIQUE_ID)
  return rest
}

/** UTF-16 units of all properties with these tags and this rest, or a few more. */
export function propertiesUnitsAtMost(tags: string | undefined, rest: string): number {
  return MAX_HEAD_UNITS + (tags === undefined ? 0 : tags.length) + rest.length
}
