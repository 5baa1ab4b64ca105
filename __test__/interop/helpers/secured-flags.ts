/** The JVM flags that make Apache's servers speak TLS with the certificates of __test__/fixtures/tls. */
import { join } from 'node:path'
import { SMALL_HEAP } from './apache-server.js'
import type { TemporaryDirectory } from './owned.js'
import { repositoryRoot } from './repository.js'
import { type BrokerProperties, writeProperties } from './server-process.js'

/** The name of a file of __test__/fixtures/tls. */
export function tlsFixture(name: string): string {
  return join(repositoryRoot, '__test__', 'fixtures', 'tls', name)
}

/** How a server treats those who connect. */
export interface TlsServerMode {
  /** `permissive` takes plain TCP too. */
  readonly mode: 'permissive' | 'enforcing'
  /** Whether clients need a certificate. */
  readonly clientAuth: boolean
  /** Protocols; all by default. */
  readonly protocols?: string
}

/** Memory and TLS flags; the tls.properties they name is written to `directory`. */
export function tlsFlags(directory: TemporaryDirectory, { mode, clientAuth, protocols }: TlsServerMode): string[] {
  const properties: BrokerProperties = {
    'tls.test.mode.enable': false,
    'tls.server.certPath': tlsFixture('server.pem'),
    'tls.server.keyPath': tlsFixture('server.key'),
    'tls.server.need.client.auth': clientAuth ? 'require' : 'none',
    'tls.server.authClient': clientAuth,
    'tls.server.trustCertPath': tlsFixture('ca.pem'),
    'tls.client.certPath': tlsFixture('client.pem'),
    'tls.client.keyPath': tlsFixture('client.key'),
    'tls.client.authServer': true,
    'tls.client.trustCertPath': tlsFixture('ca.pem'),
    ...(protocols === undefined ? {} : { 'tls.protocols': protocols })
  }
  const file = writeProperties(join(directory.path, `tls-${mode}-${protocols ?? 'any'}.properties`), properties)
  return [...SMALL_HEAP, `-Dtls.server.mode=${mode}`, `-Dtls.config.file=${file}`]
}
