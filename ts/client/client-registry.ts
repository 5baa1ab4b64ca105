import { ConfigError } from '../errors.js'
import { RemotingClient } from '../remoting/remoting-client.js'
import type { ClientConfig } from './client-config.js'
import { buildClientId, nameServersOf } from './client-config.js'
import { ClientInstance } from './client-instance.js'
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
   * @throws ConfigError when no name server is known, or the instance there is uses other name servers
   */
  getOrCreate(config: ClientConfig, ownInstance: boolean): ClientInstance {
    const clientId = buildClientId(config, ownInstance)
    const existing = this.#instances.get(clientId)
    if (existing !== undefined) {
      const wanted = nameServersOf(config)
      if ([...wanted].sort().join() !== [...existing.nameServerApi.addresses].sort().join()) {
        throw new ConfigError(
          `client id ${clientId} is in use with name servers ${existing.nameServerApi.addresses.join(';')}, ` +
            `not ${wanted.join(';')}; give another instanceName`
        )
      }
      return existing
    }
    const instance = new ClientInstance(
      clientId,
      config,
      () => this.#createRemoting(config),
      () => this.#instances.delete(clientId)
    )
    this.#instances.set(clientId, instance)
    return instance
  }
}

/** The registry of this process. */
export const clientRegistry = new ClientRegistry(
  ({ serializeType, namespaceV2 }) => new RemotingClient({ serializeType, namespaceV2 })
)
