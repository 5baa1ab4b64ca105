import assert from 'node:assert/strict'
import { it } from 'node:test'
import { CLIENT_OPTIONS } from '../../../ts/client/client-config.js'
import { ConfigError } from '../../../ts/errors.js'
import { type OptionsInput, readOptions } from '../../../ts/options.js'
import { FakeRemoting, registryOf } from '../helpers/fake-remoting.js'

const CREDENTIALS = { accessKey: 'alice', secretKey: 'secret' }

function configOf(options: OptionsInput<typeof CLIENT_OPTIONS>) {
  return readOptions('Client', CLIENT_OPTIONS, { namesrvAddr: 'ns:9876', instanceName: 'shared', ...options })
}

it('clients of one instance name share an instance when they connect and sign alike', () => {
  const registry = registryOf(new FakeRemoting())
  const options = { credentials: CREDENTIALS, tls: { rejectUnauthorized: false } }
  const instance = registry.getOrCreate(configOf(options), true)
  assert.equal(registry.getOrCreate(configOf(options), true), instance)
})

it('clients of one instance name that connect or sign differently are refused', () => {
  const registry = registryOf(new FakeRemoting())
  registry.getOrCreate(configOf({ credentials: CREDENTIALS, tls: true }), true)
  const refused = (options: OptionsInput<typeof CLIENT_OPTIONS>, text: RegExp) =>
    assert.throws(
      () => registry.getOrCreate(configOf(options), true),
      (error: unknown) => error instanceof ConfigError && text.test(error.message)
    )
  refused({ credentials: CREDENTIALS }, /in use with other tls; give another instanceName/)
  refused({ tls: true }, /in use with other credentials; give another instanceName/)
  refused({ credentials: { ...CREDENTIALS, secretKey: 'another' }, tls: true }, /in use with other credentials/)
})
