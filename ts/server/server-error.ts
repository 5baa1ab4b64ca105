import { ServerError, toError } from '../errors.js'

/** What the addon threw, as an error of this package. */
export function serverError(thrown: unknown): ServerError {
  const error = toError(thrown)
  return new ServerError(error.message, { cause: error })
}
