/** The longest interval a timer takes. */
const MAX_INTERVAL_MS = 2 ** 31 - 1

/** Keeps the process alive, as a listening socket of Node's own does, until the timer is cleared. */
export function holdProcess(): NodeJS.Timeout {
  return setInterval(() => undefined, MAX_INTERVAL_MS)
}
