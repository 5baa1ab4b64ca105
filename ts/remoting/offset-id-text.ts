/** Digits of an offset message id with an IPv4 address: all but the last eight are mostly those of the one before. */
const ID_BYTES = 32
const HEAD_WORDS = 6
const HEAD_BYTES = HEAD_WORDS * 4

/** Reads the offset message ids of answers, which come one after the other from few brokers. */
export class OffsetIdText {
  readonly #headWords = new Int32Array(HEAD_WORDS)
  #head = ''

  /**
   * The id of one message, or those of several, as a text.
   *
   * @param view of the same bytes
   */
  read(buffer: Buffer, view: DataView, start: number, end: number): string {
    // Those of several, or with an IPv6 address.
    if (end - start !== ID_BYTES) return buffer.toString('latin1', start, end)
    if (!this.#hasHead(view, start)) this.#takeHead(buffer, view, start)
    const at = start + HEAD_BYTES
    // Put together from bytes in a third of the time that a call for the text takes.
    return (
      this.#head +
      String.fromCharCode(
        buffer[at]!,
        buffer[at + 1]!,
        buffer[at + 2]!,
        buffer[at + 3]!,
        buffer[at + 4]!,
        buffer[at + 5]!,
        buffer[at + 6]!,
        buffer[at + 7]!
      )
    )
  }

  #hasHead(view: DataView, start: number): boolean {
    if (this.#head === '') return false
    for (let word = 0; word < HEAD_WORDS; word++) {
      if (view.getInt32(start + word * 4, true) !== this.#headWords[word]) return false
    }
    return true
  }

  #takeHead(buffer: Buffer, view: DataView, start: number): void {
    for (let word = 0; word < HEAD_WORDS; word++) this.#headWords[word] = view.getInt32(start + word * 4, true)
    this.#head = buffer.toString('latin1', start, start + HEAD_BYTES)
  }
}
