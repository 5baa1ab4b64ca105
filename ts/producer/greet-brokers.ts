import type { SendContext } from './pending-send.js'

/**
 * Makes the brokers of a topic know this client before something is sent that they are to answer later by themselves: a
 * request, or the half message of a transaction. Without it they would learn of it by the next regular heartbeat
 * (`impl/producer/DefaultMQProducerImpl.java#prepareSendRequest`).
 *
 * @throws RouteError when the topic cannot be found
 */
export async function greetBrokersOf({ instance, table }: SendContext, topic: string): Promise<void> {
  if (table.get(topic) === undefined) await table.find(topic)
  await instance.sendHeartbeatToAllBrokers()
}
