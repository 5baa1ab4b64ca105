/** What the tests ask of a client, Apache's or ours, in the same words. */

/** A SendResult as the clients report it. */
export interface SentRow {
  readonly index: number
  readonly status: string
  readonly msgId: string
  readonly offsetMsgId: string | null
  readonly brokerName: string
  readonly queueId: number
  readonly queueOffset: number
}

/** A message as a consumer of either language reports it. */
export interface ReceivedRow {
  /** The index that the body begins with. */
  readonly index: number
  /** Length of the body. */
  readonly bytes: number
  /** CRC-32 of the body. */
  readonly crc32: number
  readonly msgId: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: number
  readonly tags: string | null
  readonly keys: string | null
  readonly uniqueKey: string | null
  readonly properties: Readonly<Record<string, string>>
  readonly bornTimestamp: number
  readonly storeTimestamp: number
}

/** What to produce: `count` messages with the bodies of bodies.ts, from index `from` on. */
export interface ProduceRequest {
  readonly nameServer: string
  readonly topic: string
  readonly group: string
  readonly from?: number
  readonly count: number
  readonly bytes: number
  readonly tags?: string
  /** Prefix of the keys; the index follows. */
  readonly keys?: string
  readonly properties?: Readonly<Record<string, string>>
  readonly compress?: 'ZLIB' | 'LZ4' | 'ZSTD'
  /** Messages a request: sent as batches. */
  readonly batch?: number
  readonly oneway?: boolean
  /** Send to this queue; needs `queueId` too. */
  readonly brokerName?: string
  readonly queueId?: number
}

/** Which group to join. */
export interface JoinRequest {
  readonly nameServer: string
  readonly topic: string
  readonly group: string
  /** Tags; all by default. */
  readonly expression?: string
}

/** A member of a consumer group, of whichever language. */
export interface GroupMember extends AsyncDisposable {
  /** What it received since it joined, once that is at least so many. */
  received(atLeast: number, timeoutMs?: number): Promise<ReceivedRow[]>
  /** The ids of the queues that it reads now, sorted. */
  assignment(): Promise<number[]>
}

/** A client of either language. */
export interface Client extends AsyncDisposable {
  /** Sends messages; resolves with one row for each SendResult (none when oneway). */
  produce(request: ProduceRequest): Promise<SentRow[]>
  /** Starts a push consumer that reads the topic from its first offset. */
  join(request: JoinRequest): Promise<GroupMember>
}
