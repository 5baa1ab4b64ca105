import { inspect } from 'node:util'
import { ConfigError } from '../errors.js'
import type { NativeCredentials } from '../native.js'

/** What credentials are made of. */
export interface SessionCredentialsInit {
  /** Who asks: the name of the user in ACL 2.0. */
  readonly accessKey: string
  /** What only the user and the broker know; it is never sent. */
  readonly secretKey: string
  /** Sent and signed along, where temporary keys come with one. @default none */
  readonly securityToken?: string | undefined
}

/** The keys themselves, for the addon alone. */
export let revealCredentials: (credentials: SessionCredentials) => NativeCredentials
/** A number that changes with every `update()`. */
export let credentialsVersion: (credentials: SessionCredentials) => number

/**
 * Whom a client's requests are signed for (`acl/common/SessionCredentials.java`). One object may be given to many clients;
 * `update()` changes what all of them sign with from then on. Nothing that is printed of it, or made JSON, has a secret in it.
 */
export class SessionCredentials {
  #values: NativeCredentials
  #version = 0

  static {
    revealCredentials = credentials => credentials.#values
    credentialsVersion = credentials => credentials.#version
  }

  /** @throws ConfigError when a part is missing or no text */
  constructor(init: SessionCredentialsInit) {
    this.#values = checked(init)
  }

  /** The access key in use. */
  get accessKey(): string {
    return this.#values.accessKey
  }

  /**
   * Replaces the keys (`SessionCredentials.java#updateContent`). Requests made before are sent with the old ones.
   *
   * @throws ConfigError as the constructor; the keys in use stay
   */
  update(init: SessionCredentialsInit): void {
    this.#values = checked(init)
    this.#version++
  }

  /** Whether both sign alike. */
  equals(other: SessionCredentials): boolean {
    const { accessKey, secretKey, securityToken } = other.#values
    const mine = this.#values
    return mine.accessKey === accessKey && mine.secretKey === secretKey && mine.securityToken === securityToken
  }

  /** Without the secrets. */
  toJSON(): { accessKey: string } {
    return { accessKey: this.accessKey }
  }

  /** Without the secrets. */
  [inspect.custom](): string {
    return `SessionCredentials { accessKey: ${inspect(this.accessKey)} }`
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== ''
}

/** No text of these errors has a value in it: it might be a secret in the wrong place. */
function checked(init: SessionCredentialsInit): NativeCredentials {
  const { accessKey, secretKey, securityToken } = init
  if (!isText(accessKey)) throw new ConfigError('credentials.accessKey must be a text')
  if (!isText(secretKey)) throw new ConfigError('credentials.secretKey must be a text')
  if (securityToken === undefined) return { accessKey, secretKey }
  if (!isText(securityToken)) throw new ConfigError('credentials.securityToken must be a text, or be left out')
  return { accessKey, secretKey, securityToken }
}

/**
 * The credentials that an option stands for.
 *
 * @throws ConfigError when they are none
 */
export function parseCredentials(key: string, given: SessionCredentials | SessionCredentialsInit): SessionCredentials {
  if (given instanceof SessionCredentials) return given
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError(`option ${key} must be an object with accessKey and secretKey`)
  }
  for (const name of Object.keys(given)) {
    if (!['accessKey', 'secretKey', 'securityToken'].includes(name)) {
      throw new ConfigError(`option ${key} has accessKey, secretKey and securityToken, but no ${name}`)
    }
  }
  return new SessionCredentials(given)
}
