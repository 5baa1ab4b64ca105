import { type KeyObject, X509Certificate, createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as nodeTls from 'node:tls'
import { inspect } from 'node:util'
import { ConfigError, toError } from '../errors.js'
import type { NativeTls } from '../native.js'
import { type OptionsInput, bool, custom, optionalStr, readOptions } from '../options.js'

/** PEM, or the name of a file with PEM in it. A text is PEM when it has a `-----BEGIN` line. */
export type PemSource = string | Uint8Array

/** How a client speaks TLS. The names and meanings are those of node:tls. */
export const TLS_OPTIONS = {
  /**
   * Certificates of the authorities that brokers and name servers are trusted by, or their very certificates; in place of the
   * default ones.
   * @default those Node.js trusts, `NODE_EXTRA_CA_CERTS` included
   */
  ca: custom<PemSource | readonly PemSource[] | undefined>(undefined, (_, given) => given),
  /** This client's certificate, where servers ask for one, and those that lead to its authority. @default none */
  cert: custom<PemSource | undefined>(undefined, (_, given) => given),
  /** The private key of `cert`. @default none */
  key: custom<PemSource | undefined>(undefined, (_, given) => given),
  /** What `key` is encrypted with. @default none */
  passphrase: custom<string | undefined>(undefined, (_, given) => {
    // The value is not told: it is a secret.
    if (typeof given !== 'string') throw new ConfigError('option tls.passphrase must be a text')
    return given
  }),
  /** The name that every server's certificate must be for, where it is not for the host connected to. @default that host */
  servername: optionalStr(),
  /**
   * Whether a server must prove who it is. `false` takes whoever answers, so that a third party can read all. The environment
   * variable NODE_TLS_REJECT_UNAUTHORIZED has no effect here.
   * @default true
   */
  rejectUnauthorized: bool(true),
  /**
   * `false`: a server's certificate must be signed by a trusted authority, but may be for any name. Apache's clients never
   * look at names.
   * @default true
   */
  checkServerIdentity: bool(true)
}

/** What the option `tls` may be besides true and false. */
export type TlsOptions = OptionsInput<typeof TLS_OPTIONS>

/** The settings themselves, for the addon alone. */
export let revealTls: (settings: TlsSettings) => NativeTls

/** TLS settings that were found good. Nothing that is printed of them has the private key in it. */
export class TlsSettings {
  readonly #native: NativeTls

  static {
    revealTls = settings => settings.#native
  }

  /** @throws ConfigError for what cannot be read or does not go together */
  constructor(options: TlsOptions) {
    const given = readOptions('tls', TLS_OPTIONS, options)
    const { ca, servername } = given
    const own = ownCertificate(given.cert, given.key, given.passphrase)
    const authorities =
      ca === undefined ? defaultAuthorities() : [ca].flat().flatMap(one => certificates('option tls.ca', one))
    this.#native = {
      authorities: authorities.join('\n'),
      lenient: ca === undefined,
      ...own,
      ...(servername === undefined ? {} : { serverName: servername }),
      verifyCertificate: given.rejectUnauthorized,
      verifyName: given.checkServerIdentity
    }
  }

  /** Whether both connect alike. */
  equals(other: TlsSettings): boolean {
    return formOf(this.#native) === formOf(other.#native)
  }

  /** What can be told. */
  toJSON(): { servername: string | undefined; rejectUnauthorized: boolean; checkServerIdentity: boolean } {
    const { serverName, verifyCertificate, verifyName } = this.#native
    return { servername: serverName, rejectUnauthorized: verifyCertificate, checkServerIdentity: verifyName }
  }

  /** What can be told. */
  [inspect.custom](): string {
    return `TlsSettings ${inspect(this.toJSON())}`
  }
}

/**
 * The settings that the option `tls` stands for.
 *
 * @throws ConfigError
 */
export function parseTls(key: string, given: boolean | TlsOptions): TlsSettings | undefined {
  if (given === false) return undefined
  if (given === true) return new TlsSettings({})
  if (typeof given === 'object' && given !== null) return new TlsSettings(given)
  throw new ConfigError(`option ${key} must be true, false or an object of TLS options`)
}

function formOf({ privateKey, ...rest }: NativeTls): string {
  return JSON.stringify([rest, privateKey?.toString('base64')])
}

/** What Node.js trusts. Before 22.15 it does not tell, so that its own list and NODE_EXTRA_CA_CERTS are put together here. */
function defaultAuthorities(): readonly string[] {
  const { getCACertificates } = nodeTls as { getCACertificates?: (type: 'default') => readonly string[] }
  if (getCACertificates !== undefined) return getCACertificates('default')
  const extra = process.env['NODE_EXTRA_CA_CERTS']
  const extraCertificates =
    extra === undefined || extra === '' ? [] : certificates('the environment variable NODE_EXTRA_CA_CERTS', extra)
  return [...nodeTls.rootCertificates, ...extraCertificates]
}

function ownCertificate(
  cert: PemSource | undefined,
  key: PemSource | undefined,
  passphrase: string | undefined
): Pick<NativeTls, 'certificate' | 'privateKey'> {
  if (cert === undefined && key === undefined) return {}
  if (cert === undefined || key === undefined) {
    throw new ConfigError('options tls.cert and tls.key go together: one of them is missing')
  }
  const chain = certificates('option tls.cert', cert)
  const privateKey = readKey(key, passphrase)
  if (!new X509Certificate(chain[0]!).checkPrivateKey(privateKey)) {
    throw new ConfigError('option tls.key is not the key of the first certificate of tls.cert')
  }
  return { certificate: chain.join('\n'), privateKey: privateKey.export({ type: 'pkcs8', format: 'der' }) }
}

/** Every form of key that OpenSSL reads, encrypted ones too. */
function readKey(key: PemSource, passphrase: string | undefined): KeyObject {
  const pem = readPem('option tls.key', key)
  try {
    return createPrivateKey(passphrase === undefined ? { key: pem } : { key: pem, passphrase })
  } catch (error) {
    const encrypted = /ENCRYPTED/.test(pem)
    const advice = !encrypted
      ? ''
      : passphrase === undefined
        ? ' (it is encrypted: give tls.passphrase)'
        : ' (is tls.passphrase right?)'
    throw new ConfigError(`option tls.key cannot be read: ${toError(error).message}${advice}`, { cause: error })
  }
}

/** The certificates of a source, checked, each as PEM. */
function certificates(name: string, source: PemSource): string[] {
  const found = readPem(name, source).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (found.length === 0) throw new ConfigError(`${name} has no PEM certificate in it${fileOf(source)}`)
  for (const [index, pem] of found.entries()) {
    try {
      void new X509Certificate(pem)
    } catch (error) {
      const which = `certificate ${index + 1} of ${name}${fileOf(source)}`
      throw new ConfigError(`${which} cannot be read: ${toError(error).message}`, { cause: error })
    }
  }
  return found
}

function readPem(name: string, source: PemSource): string {
  if (source instanceof Uint8Array) return Buffer.from(source.buffer, source.byteOffset, source.length).toString()
  if (typeof source !== 'string') throw new ConfigError(`${name} must be PEM or the name of a file with PEM`)
  if (source.includes('-----BEGIN')) return source
  try {
    return readFileSync(source, 'utf8')
  } catch (error) {
    throw new ConfigError(`${name} is neither PEM nor a file that can be read: ${toError(error).message}`, {
      cause: error
    })
  }
}

/** For error texts; PEM itself is not shown. */
function fileOf(source: PemSource): string {
  return typeof source === 'string' && !source.includes('-----BEGIN') ? ` (${source})` : ''
}
