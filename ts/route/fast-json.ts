import { ProtocolError } from '../errors.js'

/**
 * Reads JSON as fastjson writes it: keys of maps with number keys may come without quotes (`{0:"10.0.0.1:10911"}`).
 *
 * @throws ProtocolError when it is no such JSON
 */
export function parseFastJson(body: Buffer, what: string): unknown {
  const text = body.toString()
  try {
    return JSON.parse(text)
  } catch (strict) {
    try {
      return JSON.parse(quoteNumberKeys(text))
    } catch {
      throw new ProtocolError(`${what} is not readable: ${(strict as Error).message}`, { cause: strict })
    }
  }
}

/** A string as a whole (kept as it is), or a bare number that is a key. */
const STRING_OR_NUMBER_KEY = /"(?:[^"\\]|\\.)*"|([{,]\s*)(-?\d+)(\s*:)/g

function quoteNumberKeys(text: string): string {
  return text.replace(
    STRING_OR_NUMBER_KEY,
    (whole: string, before: string | undefined, key: string | undefined, after: string | undefined) =>
      key === undefined ? whole : `${before}"${key}"${after}`
  )
}
