import type { TopicRouteData } from '../route/topic-route-data.js'
import { clipQueueNums } from '../route/topic-route-data.js'
import type { ConsumerInner, ProducerInner, TopicTemplate } from './client-instance.js'
import type { NameServerApi, WaitOptions } from './name-server-api.js'
import type { RouteTable } from './route-table.js'

/** Whom routes are for, and who is told. */
export interface TopicRouteContext {
  readonly nameServerApi: NameServerApi
  readonly routes: RouteTable
  waitOptions(): WaitOptions
  producers(): Iterable<ProducerInner>
  consumers(): Iterable<ConsumerInner>
  /** A route is known now, or another one. */
  changed(topic: string, route: TopicRouteData): void
  /** A regular refresh failed. */
  failed(error: unknown, doing: string): void
}

/** Asks for routes and gives them to those who want them (`impl/factory/MQClientInstance.java#updateTopicRouteInfoFromNameServer`). */
export class TopicRouteService {
  readonly #context: TopicRouteContext
  readonly #lookups = new Map<string, Promise<TopicRouteData | undefined>>()

  constructor(context: TopicRouteContext) {
    this.#context = context
  }

  /** See `ClientInstance.updateTopicRoute`. */
  update(topic: string, template?: TopicTemplate): Promise<TopicRouteData | undefined> {
    const key = template === undefined ? topic : `${topic} ${template.createTopicKey}`
    let lookup = this.#lookups.get(key)
    if (lookup === undefined) {
      lookup = this.#lookUp(topic, template).finally(() => this.#lookups.delete(key))
      this.#lookups.set(key, lookup)
    }
    return lookup
  }

  /** Asks for all topics of all members; those that are being asked for are left to who asked. Never rejects. */
  async refreshAll(): Promise<void> {
    const { producers, consumers, failed } = this.#context
    const topics = new Set<string>()
    for (const producer of producers()) for (const topic of producer.publishTopics()) topics.add(topic)
    for (const consumer of consumers()) for (const topic of consumer.subscribedTopics()) topics.add(topic)
    const wanted = [...topics].filter(topic => !this.#lookups.has(topic))
    await Promise.all(
      wanted.map(topic => this.update(topic).catch((error: unknown) => failed(error, 'refreshing topic routes')))
    )
  }

  async #lookUp(topic: string, template: TopicTemplate | undefined): Promise<TopicRouteData | undefined> {
    const { nameServerApi, routes, waitOptions, producers, consumers } = this.#context
    const found = await nameServerApi.getTopicRoute(template?.createTopicKey ?? topic, waitOptions())
    if (found === undefined) return undefined
    const route = template === undefined ? found : clipQueueNums(found, template.defaultTopicQueueNums)
    const changed = routes.put(topic, route)
    for (const producer of producers()) {
      if (changed || producer.isPublishTopicNeedUpdate(topic)) producer.updateTopicRoute(topic, route)
    }
    for (const consumer of consumers()) consumer.updateTopicRoute(topic, route)
    if (changed) this.#context.changed(topic, route)
    return route
  }
}
