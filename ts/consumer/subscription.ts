import type { SubscriptionData } from '../client/heartbeat.js'
import { InvalidArgumentError } from '../errors.js'
import { javaStringHash } from '../message/java-hash.js'

/** Everything of a topic. */
export const SUB_ALL = '*'

/** The topic through which a group gets again what it failed to consume. */
export function retryTopicOf(consumerGroup: string): string {
  return `%RETRY%${consumerGroup}`
}

/**
 * What an expression of tags means: `*` for all, `A || B` for messages with one of these tags
 * (`remoting/protocol/filter/FilterAPI.java#buildSubscriptionData`).
 *
 * @throws InvalidArgumentError when it names no tag
 */
export function buildSubscriptionData(topic: string, expression: string, nowMs: number): SubscriptionData {
  const all = expression.trim() === '' || expression.trim() === SUB_ALL
  const tags = all ? [] : [...new Set(expression.split('||').map(tag => tag.trim()))].filter(tag => tag !== '')
  if (!all && tags.length === 0) {
    throw new InvalidArgumentError(`the expression ${JSON.stringify(expression)} names no tag; use * or A || B`)
  }
  return {
    classFilterMode: false,
    topic,
    subString: all ? SUB_ALL : expression,
    tagsSet: tags,
    codeSet: [...new Set(tags.map(javaStringHash))],
    subVersion: nowMs,
    expressionType: 'TAG'
  }
}
