import { ClientErrorCode, RouteError } from '../errors.js'
import { MASTER_ID, PermName } from './topic-route-data.js'
import type { TopicRouteData } from './topic-route-data.js'

/**
 * Why there is no queue of a topic to send to, and what to do about it.
 *
 * @param route that of the topic; undefined when name servers do not know it
 * @param createTopicKey the topic new ones are made after, which name servers do not know either
 */
export function noQueueToWriteTo(topic: string, route: TopicRouteData | undefined, createTopicKey: string): RouteError {
  return new RouteError(`no route info of topic ${topic}: ${reason(topic, route, createTopicKey)}`, {
    clientErrorCode: ClientErrorCode.NOT_FOUND_TOPIC_EXCEPTION
  })
}

function reason(topic: string, route: TopicRouteData | undefined, createTopicKey: string): string {
  if (route === undefined) {
    return (
      `it does not exist, and no broker creates topics by itself (there is no route of ${createTopicKey}); create it ` +
      `(mqadmin updateTopic -c <cluster> -t ${topic}), set autoCreateTopicEnable=true on a broker, or start the brokers, if ` +
      'none is registered with the name server'
    )
  }
  if (route.queueDatas.length === 0) return 'its route names no queue; create the topic again'
  const writable = route.queueDatas.filter(data => (data.perm & PermName.WRITE) !== 0)
  if (writable.length === 0) {
    const perms = route.queueDatas.map(data => `${data.brokerName}: perm ${data.perm}`).join(', ')
    return `no broker of it lets it be written to (${perms}); give it a perm with ${PermName.WRITE} in it (mqadmin updateTopicPerm)`
  }
  const withQueues = writable.filter(data => data.writeQueueNums > 0)
  if (withQueues.length === 0) return 'it has 0 queues to write to; give it some (mqadmin updateTopic -w)'
  const names = withQueues.map(data => data.brokerName)
  const orphans = names.filter(
    name => route.brokerDatas.find(data => data.brokerName === name)?.brokerAddrs.has(MASTER_ID) !== true
  )
  return `the broker ${orphans.join(', ')} has no master that is registered with the name server, and slaves take no messages; start it`
}
