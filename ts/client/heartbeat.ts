/** How a consumer gets its messages (`remoting/protocol/heartbeat/ConsumeType.java`). */
export type ConsumeType = 'CONSUME_ACTIVELY' | 'CONSUME_PASSIVELY' | 'CONSUME_POP'

/** Whether a group shares the messages or each member gets all (`remoting/protocol/heartbeat/MessageModel.java`). */
export const MessageModel = { CLUSTERING: 'CLUSTERING', BROADCASTING: 'BROADCASTING' } as const
/** One of {@link MessageModel}. */
export type MessageModel = (typeof MessageModel)[keyof typeof MessageModel]

/** Where a group begins in a queue it has no offset for (`common/consumer/ConsumeFromWhere.java`). */
export const ConsumeFromWhere = {
  /** After the last message there is. */
  CONSUME_FROM_LAST_OFFSET: 'CONSUME_FROM_LAST_OFFSET',
  /** At the oldest message. */
  CONSUME_FROM_FIRST_OFFSET: 'CONSUME_FROM_FIRST_OFFSET',
  /** At the first message stored at or after `consumeTimestamp`. */
  CONSUME_FROM_TIMESTAMP: 'CONSUME_FROM_TIMESTAMP'
} as const
/** One of {@link ConsumeFromWhere}. */
export type ConsumeFromWhere = (typeof ConsumeFromWhere)[keyof typeof ConsumeFromWhere]

/** What a group wants of a topic (`remoting/protocol/heartbeat/SubscriptionData.java`). */
export interface SubscriptionData {
  readonly classFilterMode: boolean
  readonly topic: string
  /** `*` or `A || B`. */
  readonly subString: string
  readonly tagsSet: readonly string[]
  /** Java's hash of each tag. */
  readonly codeSet: readonly number[]
  /** Time of the last change, ms; brokers refuse pulls with a newer one than the heartbeat's. */
  readonly subVersion: number
  readonly expressionType: 'TAG'
}

/** What a heartbeat says of one consumer group. */
export interface ConsumerData {
  readonly groupName: string
  readonly consumeType: ConsumeType
  readonly messageModel: MessageModel
  readonly consumeFromWhere: ConsumeFromWhere
  readonly subscriptionDataSet: readonly SubscriptionData[]
  readonly unitMode: boolean
}

/** What the second version of the protocol adds to a heartbeat. */
export interface HeartbeatV2 {
  /** A number that stands for all of it; 0 for the first version. */
  readonly heartbeatFingerprint: number
  /** Whether subscriptions are left out, because the broker has had them with this fingerprint. */
  readonly withoutSub: boolean
}

/** The body of a HEART_BEAT request (`remoting/protocol/heartbeat/HeartbeatData.java`). */
export function encodeHeartbeat(
  clientID: string,
  producerGroups: readonly string[],
  consumerDataSet: readonly ConsumerData[],
  v2: HeartbeatV2 = { heartbeatFingerprint: 0, withoutSub: false }
): Buffer {
  return Buffer.from(
    JSON.stringify({
      clientID,
      consumerDataSet,
      heartbeatFingerprint: v2.heartbeatFingerprint,
      producerDataSet: producerGroups.map(groupName => ({ groupName })),
      withoutSub: v2.withoutSub
    })
  )
}
