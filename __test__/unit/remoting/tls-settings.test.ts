import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { rootCertificates } from 'node:tls'
import { inspect } from 'node:util'
import { ConfigError } from '../../../ts/errors.js'
import { NativeChannels } from '../../../ts/native.js'
import { type TlsOptions, TlsSettings, parseTls, revealTls } from '../../../ts/remoting/tls-settings.js'
import { repositoryRoot } from '../helpers/repository.js'

const fixture = (name: string): string => join(repositoryRoot(), '__test__/fixtures/tls', name)
const CA = fixture('ca.pem')
const CERT = fixture('client.pem')
const KEY = fixture('client.key')

function certificatesIn(settings: TlsSettings): number {
  return revealTls(settings).authorities.split('BEGIN CERTIFICATE').length - 1
}

describe('TLS settings', () => {
  it('trust what Node.js trusts, verify everything and have no certificate unless told otherwise', () => {
    const settings = parseTls('tls', true)!
    assert.ok(certificatesIn(settings) >= rootCertificates.length)
    const { authorities: _, ...rest } = revealTls(settings)
    assert.deepEqual(rest, { lenient: true, verifyCertificate: true, verifyName: true })
    assert.equal(parseTls('tls', false), undefined)
  })

  it('every certificate that Node.js trusts can be used by the addon', () => {
    const tls = { ...revealTls(new TlsSettings({})), lenient: false }
    const limits = {
      connectTimeoutMs: 1,
      jsonHeaders: false,
      maxFrameBytes: 1,
      maxPendingRequests: 1,
      maxPendingBytes: 1
    }
    new NativeChannels({ ...limits, tls }, () => undefined).close()
  })

  it('trust NODE_EXTRA_CA_CERTS as well', () => {
    const module = join(__dirname, '../../../ts/remoting/tls-settings.js')
    const script = `const { TlsSettings, revealTls } = require(${JSON.stringify(module)})
      console.log(revealTls(new TlsSettings({})).authorities)`
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: CA }
    const printed = execFileSync(process.execPath, ['-e', script], { env, encoding: 'utf8' })
    assert.ok(printed.includes(readFileSync(CA, 'utf8').split('\n')[1]!))
  })

  it('authorities come from files, texts and bytes, several in one', () => {
    const text = readFileSync(CA, 'utf8')
    const two = `${text}\nsomething between\n${readFileSync(fixture('other-ca.pem'), 'utf8')}`
    for (const [ca, count] of [
      [CA, 1],
      [text, 1],
      [Buffer.from(two), 2],
      [[CA, two], 3]
    ] as const) {
      const settings = new TlsSettings({ ca })
      assert.equal(certificatesIn(settings), count)
      assert.equal(revealTls(settings).lenient, false)
    }
  })

  it('a key is read in every form, an encrypted one with its passphrase, and handed on as PKCS #8', () => {
    const key = revealTls(new TlsSettings({ cert: CERT, key: KEY })).privateKey
    const encrypted = { cert: CERT, key: fixture('client-encrypted.key'), passphrase: 'the passphrase' }
    assert.deepEqual(revealTls(new TlsSettings(encrypted)).privateKey, key)
  })

  it('show neither key nor passphrase when printed or made JSON', () => {
    const options = { ca: CA, cert: CERT, key: fixture('client-encrypted.key'), passphrase: 'the passphrase' }
    const settings = new TlsSettings({ ...options, servername: 'broker.test' })
    const shown = inspect(settings, { showHidden: true, depth: 9 }) + JSON.stringify(settings)
    assert.match(shown, /broker\.test/)
    assert.doesNotMatch(shown, /passphrase|BEGIN|Buffer|privateKey/)
  })

  it('are equal when they connect alike', () => {
    const settings = new TlsSettings({ ca: CA, cert: CERT, key: KEY })
    assert.ok(settings.equals(new TlsSettings({ ca: readFileSync(CA), cert: CERT, key: KEY })))
    assert.ok(!settings.equals(new TlsSettings({ ca: CA })))
    assert.ok(!settings.equals(new TlsSettings({ ca: CA, cert: CERT, key: KEY, rejectUnauthorized: false })))
  })

  it('refuse what cannot work, and say which option it is', () => {
    const directory = mkdtempSync(join(tmpdir(), 'rocketmq-native-'))
    const broken = join(directory, 'broken.pem')
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    const wrong: [unknown, RegExp][] = [
      ['yes', /option tls must be true, false or an object/],
      [{ cA: CA }, /tls has no option cA; did you mean ca/],
      [{ ca: 'nowhere.pem' }, /option tls\.ca is neither PEM nor a file that can be read: ENOENT.*nowhere\.pem/],
      [{ ca: KEY }, /option tls\.ca has no PEM certificate in it \(.*client\.key\)/],
      [{ ca: 7 }, /option tls\.ca must be PEM or the name of a file/],
      [{ ca: [CA, broken] }, /certificate 1 of option tls\.ca \(.*broken\.pem\) cannot be read/],
      [{ cert: CERT }, /tls\.cert and tls\.key go together/],
      [{ key: KEY }, /tls\.cert and tls\.key go together/],
      [{ cert: CERT, key: fixture('server.key') }, /tls\.key is not the key of the first certificate of tls\.cert/],
      [{ cert: CERT, key: fixture('client-encrypted.key') }, /it is encrypted: give tls\.passphrase/],
      [{ cert: CERT, key: fixture('client-encrypted.key'), passphrase: 'wrong word' }, /is tls\.passphrase right/],
      [{ rejectUnauthorized: 'no' }, /rejectUnauthorized must be true or false/]
    ]
    try {
      for (const [given, text] of wrong) {
        assert.throws(
          () => parseTls('tls', given as TlsOptions),
          (error: unknown) =>
            error instanceof ConfigError && text.test(error.message) && !error.message.includes('wrong word'),
          text.source
        )
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
