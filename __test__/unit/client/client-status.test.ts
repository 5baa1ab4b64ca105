import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { ClientStatus } from '../../../ts/client/client-status.js'
import type { ClientEvent, Logger } from '../../../ts/diagnostics.js'

const CONNECT: ClientEvent = { type: 'connect', peer: 'broker', address: 'a:1' }

async function read(events: AsyncIterable<ClientEvent>): Promise<ClientEvent[]> {
  const all: ClientEvent[] = []
  for await (const event of events) all.push(event)
  return all
}

function recorder(): { logger: Logger; lines: [level: string, fields: object, text: string][] } {
  const lines: [string, object, string][] = []
  const level = (name: string) => (fields: object, text: string) => void lines.push([name, fields, text])
  return { logger: { debug: level('debug'), info: level('info'), warn: level('warn'), error: level('error') }, lines }
}

describe('the status of a client', () => {
  it('gives every reader what happens from its call on, until the client ends', async () => {
    const status = new ClientStatus({ onError: () => undefined, logger: undefined })
    const first = read(status.stream())
    status.emit(CONNECT)
    const second = read(status.stream())
    const error = new Error('no')
    status.report(error, 'trying')
    status.end()
    const fault = { type: 'fault', error, doing: 'trying' }
    assert.deepEqual(await first, [CONNECT, fault])
    assert.deepEqual(await second, [fault])
    assert.deepEqual(await read(status.stream()), [])
  })

  it('ends when the signal fires or the loop is left', async () => {
    const status = new ClientStatus({ onError: undefined, logger: undefined })
    const controller = new AbortController()
    const aborted = read(status.stream(controller.signal))
    controller.abort()
    assert.deepEqual(await aborted, [])
    const stream = status.stream()
    status.emit(CONNECT)
    for await (const event of stream) {
      assert.equal(event, CONNECT)
      break
    }
    assert.deepEqual(await stream.next(), { done: true, value: undefined })
    assert.deepEqual(await read(status.stream(AbortSignal.abort())), [])
  })

  it('keeps 256 events for a slow reader, and says how many it has missed', async () => {
    const status = new ClientStatus({ onError: undefined, logger: undefined })
    const stream = status.stream()
    for (let i = 0; i < 300; i++) status.emit({ type: 'connect', peer: 'broker', address: `a:${i}` })
    status.end()
    const [missed, oldest, ...rest] = await read(stream)
    assert.deepEqual(missed, { type: 'missed', count: 44 })
    assert.deepEqual(oldest, { type: 'connect', peer: 'broker', address: 'a:44' })
    assert.equal(rest.length, 255)
  })

  it('tells the logger everything, and faults to onError too', () => {
    const { logger, lines } = recorder()
    const faults: string[] = []
    const status = new ClientStatus({ logger, onError: (_error, doing) => faults.push(doing) })
    const error = new Error('no')
    status.emit(CONNECT)
    status.emit({ type: 'disconnect', peer: 'broker', address: 'a:1', reason: 'reset' })
    status.emit({ type: 'routeChange', topic: 'T', brokers: { b: 'a:1' } })
    status.emit({ type: 'nameServerChange', addresses: ['n:1'], before: ['m:1'] })
    status.report(error, 'trying')
    assert.deepEqual(
      lines.map(([level]) => level),
      ['info', 'warn', 'info', 'info', 'error']
    )
    assert.deepEqual(lines.at(-1), ['error', { err: error, doing: 'trying' }, 'trying: no'])
    assert.deepEqual(faults, ['trying'])
  })

  it('makes faults warnings of the process when nobody else is told', async () => {
    const warned = once(process, 'warning') as Promise<[Error]>
    new ClientStatus({ logger: undefined, onError: undefined }).report(new Error('unheard'), 'whispering')
    assert.match((await warned)[0].message, /whispering: unheard/)
  })
})
