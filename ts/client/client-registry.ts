import { ConfigError } from '../errors.js'
import { RemotingClient } from '../remoting/remoting-client.js'
import type { ClientConfig } from './client-config.js'
import { buildClientId, nameServerSource } from './client-config.js'
import { ClientInstance } from './client-instance.js'
import type { NameServerSource } from './name-server-source.js'
import type { Remoting } from './remoting.js'

/** The client instances of a process, one for each client id (`impl/MQClientManager.java`). */
export class ClientRegistry {
  readonly #instances = new Map<string, ClientInstance>()
  readonly #createRemoting: (config: ClientConfig) => Remoting

  /** @param createRemoting makes the connections of a new instance */
  constructor(createRemoting: (config: ClientConfig) => Remoting) {
    this.#createRemoting = createRemoting
  }

  /** How many instances there are. */
  get size(): number {
    return this.#instances.size
  }

  /**
   * The instance for these options.
   *
   * @param ownInstance whether the instance name `DEFAULT` stands for a name of its own
   * @throws ConfigError when the instance there has its name servers from elsewhere, or other TLS settings or credentials
   */
  getOrCreate(config: ClientConfig, ownInstance: boolean): ClientInstance {
    const clientId = buildClientId(config, ownInstance)
    const source = nameServerSource(config)
    const existing = this.#instances.get(clientId)
    if (existing !== undefined) {
      const { source: known } = existing.nameServerApi.nameServers
      if (known.identity !== source.identity) {
        throw new ConfigError(
          `client id ${clientId} is in use with name servers from ${inWords(known)}, not from ${inWords(source)}; ` +
            'give another instanceName'
        )
      }
      checkSame(clientId, 'tls', existing.config.tls, config.tls)
      checkSame(clientId, 'credentials', existing.config.credentials, config.credentials)
      return existing
    }
    const instance: ClientInstance = new ClientInstance(
      clientId,
      config,
      source,
      () => this.#createRemoting(config),
      () => {
        // After a failed start another may have its place already.
        if (this.#instances.get(clientId) === instance) this.#instances.delete(clientId)
      }
    )
    this.#instances.set(clientId, instance)
    return instance
  }
}

function inWords({ description, identity }: NameServerSource): string {
  return typeof identity === 'string' && !description.includes(identity) ? `${description} (${identity})` : description
}

/** Clients that share connections cannot connect, or sign, differently. */
function checkSame<T extends { equals(other: T): boolean }>(
  clientId: string,
  option: string,
  existing: T | undefined,
  wanted: T | undefined
): void {
  const same = existing === undefined || wanted === undefined ? existing === wanted : existing.equals(wanted)
  if (same) return
  throw new ConfigError(`client id ${clientId} is in use with other ${option}; give another instanceName`)
}

/** The registry of this process. */
export const clientRegistry = new ClientRegistry(
  ({ serializeType, rpcHook, tls, credentials, namespaceV2 }) =>
    new RemotingClient({ serializeType, rpcHooks: rpcHook, tls, credentials, namespaceV2 })
)
