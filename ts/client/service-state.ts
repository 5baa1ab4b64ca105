import { ClientStateError } from '../errors.js'

/** Life of a producer, consumer or client instance (`common/ServiceState.java`). */
export const ServiceState = {
  /** Made, not started. */
  CREATE_JUST: 'CREATE_JUST',
  /** Started and usable. */
  RUNNING: 'RUNNING',
  /** Shut down; make a new one to go on. */
  SHUTDOWN_ALREADY: 'SHUTDOWN_ALREADY',
  /** The start failed, or is still going on. */
  START_FAILED: 'START_FAILED'
} as const
/** One of {@link ServiceState}. */
export type ServiceState = (typeof ServiceState)[keyof typeof ServiceState]

/** What to say to who calls before `start()`, or after the end. */
export function notRunning(what: string, state: ServiceState): ClientStateError {
  const advice = {
    CREATE_JUST: 'call start() and await it first',
    START_FAILED: 'its start failed or is still going on; await start()',
    SHUTDOWN_ALREADY: 'it was shut down; make a new one',
    RUNNING: ''
  }[state]
  return new ClientStateError(`the ${what} is not running (${state}): ${advice}`)
}

/** What to say to who starts something that is not fresh. */
export function notStartable(what: string, state: ServiceState): ClientStateError {
  return new ClientStateError(`the ${what} can be started once only, its state is ${state}`)
}
