/** Buckets for each power of two: a value is off by at most one part in this many. */
const BUCKETS_PER_OCTAVE = 256

/** A histogram of durations with a fixed size, from 1 µs to over an hour, exact to 0.4 %. */
export class Latencies {
  /** The longest, in milliseconds. */
  maxMs = 0
  readonly #counts = new Uint32Array(32 * BUCKETS_PER_OCTAVE)
  #total = 0

  /** Counts a duration in milliseconds. */
  add(ms: number): void {
    if (ms > this.maxMs) this.maxMs = ms
    this.#counts[bucketOf(ms * 1_000)]!++
    this.#total++
  }

  /** The duration in milliseconds that `fraction` of all did not exceed; 0 when there are none. */
  percentileMs(fraction: number): number {
    const rank = Math.ceil(this.#total * fraction)
    let seen = 0
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += this.#counts[bucket]!
      if (seen >= rank && seen > 0) return Math.min(upperBound(bucket) / 1_000, this.maxMs)
    }
    return this.maxMs
  }
}

/** Whole microseconds below BUCKETS_PER_OCTAVE have a bucket each; above, their leading bits choose it. */
function bucketOf(us: number): number {
  const whole = Math.min(Math.round(us), 0xffffffff)
  if (whole < BUCKETS_PER_OCTAVE) return whole
  const octave = 23 - Math.clz32(whole) // 256 to 511 is octave 0
  return (octave + 1) * BUCKETS_PER_OCTAVE + (whole >>> octave) - BUCKETS_PER_OCTAVE
}

function upperBound(bucket: number): number {
  if (bucket < BUCKETS_PER_OCTAVE) return bucket
  const octave = Math.floor(bucket / BUCKETS_PER_OCTAVE) - 1
  const leading = (bucket % BUCKETS_PER_OCTAVE) + BUCKETS_PER_OCTAVE
  return (leading + 1) * 2 ** octave - 1
}
