import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { ConfigError } from '../../../ts/errors.js'
import {
  SessionCredentials,
  type SessionCredentialsInit,
  credentialsVersion,
  parseCredentials,
  revealCredentials
} from '../../../ts/remoting/session-credentials.js'

const INIT = { accessKey: 'alice', secretKey: 'the-secret', securityToken: 'the-token' }

describe('session credentials', () => {
  it('show no secret when printed, made JSON, or looked into', () => {
    const credentials = new SessionCredentials(INIT)
    const shown = [
      inspect(credentials, { showHidden: true, depth: 9 }),
      inspect({ inside: { credentials } }, { depth: 9 }),
      JSON.stringify({ credentials }),
      Object.keys(credentials).join(),
      String(credentials)
    ].join('\n')
    assert.match(shown, /alice/)
    assert.doesNotMatch(shown, /the-secret|the-token/)
    assert.deepEqual(revealCredentials(credentials), INIT)
  })

  it('are given new keys by update, which those that use them can see', () => {
    const credentials = new SessionCredentials(INIT)
    const before = credentialsVersion(credentials)
    credentials.update({ accessKey: 'alice', secretKey: 'another' })
    assert.notEqual(credentialsVersion(credentials), before)
    assert.deepEqual(revealCredentials(credentials), { accessKey: 'alice', secretKey: 'another' })
  })

  it('keep their keys when an update is refused', () => {
    const credentials = new SessionCredentials(INIT)
    assert.throws(() => credentials.update({ accessKey: 'alice', secretKey: '' }), ConfigError)
    assert.deepEqual(revealCredentials(credentials), INIT)
  })

  it('are equal when they sign alike', () => {
    assert.ok(new SessionCredentials(INIT).equals(new SessionCredentials(INIT)))
    assert.ok(!new SessionCredentials(INIT).equals(new SessionCredentials({ ...INIT, secretKey: 'another' })))
    const { accessKey, secretKey } = INIT
    assert.ok(!new SessionCredentials(INIT).equals(new SessionCredentials({ accessKey, secretKey })))
  })

  it('an option takes an object as it is, and refuses what is none without showing it', () => {
    const credentials = new SessionCredentials(INIT)
    assert.equal(parseCredentials('credentials', credentials), credentials)
    const wrong: [unknown, RegExp][] = [
      ['the-secret', /option credentials must be an object with accessKey and secretKey/],
      [null, /must be an object/],
      [{ accessKey: 'alice' }, /credentials\.secretKey must be a text/],
      [{ ...INIT, accessKey: ['the-secret'] }, /credentials\.accessKey must be a text/],
      [{ ...INIT, securityToken: '' }, /credentials\.securityToken must be a text, or be left out/],
      [{ ...INIT, secret: 'the-secret' }, /but no secret/]
    ]
    for (const [given, text] of wrong) {
      assert.throws(
        () => parseCredentials('credentials', given as SessionCredentialsInit),
        (error: unknown) =>
          error instanceof ConfigError && text.test(error.message) && !error.message.includes('the-secret')
      )
    }
  })
})
