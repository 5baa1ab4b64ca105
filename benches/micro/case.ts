/** One thing to do, by our addon and without it. */
export interface MicroCase {
  /** What is done, with how many bytes. */
  readonly name: string
  /** The addon's way. */
  readonly native: () => unknown
  /** The other way, and its name; missing where Node.js 20 has nothing of the kind. */
  readonly plain?: { readonly by: string; readonly run: () => unknown }
  /** Throws when the ways do not come to the same; called once, before anything is timed. */
  readonly check: () => void
}
