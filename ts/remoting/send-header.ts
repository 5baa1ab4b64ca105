import type { ExtField, SendFields, SendTemplateFields } from './types.js'

/**
 * The header of a send as fields, for the ways that do not encode it in Rust: with hooks, and for the client's own messages
 * (`remoting/protocol/header/SendMessageRequestHeaderV2.java`).
 */
export function sendMessageV2Fields(template: SendTemplateFields, fields: SendFields): Record<string, ExtField> {
  return {
    a: template.producerGroup,
    b: template.topic,
    c: template.defaultTopic,
    d: template.defaultTopicQueueNums,
    e: template.queueId,
    f: fields.sysFlag,
    g: fields.bornTimestampMs,
    h: fields.flag,
    i: String(fields.properties),
    j: fields.reconsumeTimes,
    k: template.unitMode,
    l: template.maxReconsumeTimes,
    m: template.batch,
    n: template.brokerName
  }
}
