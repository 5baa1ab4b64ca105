import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ProtocolError } from '../../../ts/errors.js'
import type { TraceContext } from '../../../ts/trace/trace-context.js'
import { decodeTraceData, encodeTraceContext } from '../../../ts/trace/trace-data-encoder.js'
import { repositoryRoot } from '../helpers/repository.js'

const fixtures = join(repositoryRoot(), '__test__', 'fixtures')
const contexts = JSON.parse(readFileSync(join(fixtures, 'trace-contexts.json'), 'utf8')) as TraceContext[]
/** Made by Apache's TraceDataEncoder, see TraceGolden.java. */
const golden = readFileSync(join(fixtures, 'trace-data.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map(line => JSON.parse(line) as { data: string; keys: string[] })

/** Without the members that are undefined. */
function plain(context: unknown): unknown {
  return JSON.parse(JSON.stringify(context))
}

describe('trace records', () => {
  it("are encoded as Apache's TraceDataEncoder does, byte for byte, with its keys", () => {
    assert.equal(golden.length, contexts.length)
    for (const [i, context] of contexts.entries()) {
      const { transData, transKey } = encodeTraceContext(context)
      assert.deepEqual(Buffer.from(transData), Buffer.from(golden[i]!.data))
      assert.deepEqual([...transKey].sort(), golden[i]!.keys)
    }
  })

  it("are read from what Apache's TraceDataEncoder writes", () => {
    const decoded = decodeTraceData(golden.map(({ data }) => data).join(''))
    assert.deepEqual(plain(decoded), contexts)
  })

  it('of clients without an offset id, or with a client host, are read as well', () => {
    const head = 'Pub\u00011\u0001R\u0001g\u0001T\u0001M\u0001t\u0001k\u0001h:1\u00015\u00017\u00010\u0001'
    const [old] = decodeTraceData(`${head}true\u0002`)
    const [withHost] = decodeTraceData(`${head}O\u0001false\u000110.0.0.1\u0002`)
    assert.deepEqual([old, withHost].map(plain), [
      {
        traceType: 'Pub',
        timeStamp: 1,
        regionId: 'R',
        groupName: 'g',
        topic: 'T',
        msgId: 'M',
        tags: 't',
        keys: 'k',
        storeHost: 'h:1',
        msgType: 'Normal_Msg',
        bodyLength: 5,
        costTime: 7,
        success: true
      },
      { ...(plain(old) as object), offsetMsgId: 'O', success: false }
    ])
  })

  it('of consumers are passed over, and damaged ones are refused', () => {
    assert.deepEqual(decodeTraceData('SubBefore\u00011\u0001R\u0001g\u0001id\u0001M\u00010\u0001k\u0002'), [])
    assert.deepEqual(decodeTraceData(''), [])
    const { data } = golden[0]!
    for (const damaged of [
      'Pub\u00011\u0002',
      data.replace('128', 'x'),
      data.replace('\u00010\u0001', '\u00019\u0001')
    ]) {
      assert.throws(() => decodeTraceData(damaged), ProtocolError)
    }
  })
})
