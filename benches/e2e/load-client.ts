/**
 * Our client as a load; JavaLoad.java is the same for Apache's. One JSON request a line on stdin, {"id": n, "op":
 * "send" | "fill" | "drain", ...}, one JSON answer a line on stdout. Requests run one after another; a failure ends
 * the program, as the end of stdin does. Arguments: NAME_SERVER TOPIC BODY_BYTES.
 */
import { createInterface } from 'node:readline'
import { drain } from './load-consumer.js'
import { LoadProducer } from './load-producer.js'
import type { SendMeasure } from './measures.js'

type Request = { readonly id: number } & (
  | ({ readonly op: 'send'; readonly seconds: number } & Omit<SendMeasure, 'name'>)
  | { readonly op: 'fill'; readonly topic: string; readonly count: number }
  | { readonly op: 'drain'; readonly topic: string; readonly group: string; readonly count: number }
)

async function perform(request: Request, producer: LoadProducer, nameServer: string): Promise<unknown> {
  switch (request.op) {
    case 'send':
      return producer.send(request, request.seconds)
    case 'fill':
      return producer.fill(request.topic, request.count)
    case 'drain':
      return drain(nameServer, request.topic, request.group, request.count)
  }
}

async function main(): Promise<void> {
  const [nameServer = '', topic = '', bodyBytes = ''] = process.argv.slice(2)
  const producer = new LoadProducer(nameServer, topic, Number(bodyBytes))
  await producer.start()
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request
    const result = (await perform(request, producer, nameServer)) ?? null
    process.stdout.write(`${JSON.stringify({ id: request.id, result })}\n`)
  }
  await producer.shutdown()
}

void main()
