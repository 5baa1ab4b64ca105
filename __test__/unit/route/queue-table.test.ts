import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MessageQueue } from '../../../ts/message/message-queue.js'
import { encodeQueueTable, parseOffsetTable, parseQueueTable } from '../../../ts/route/queue-table.js'

describe('a map by queue', () => {
  const queue = new MessageQueue('T', 'b', 3)

  it('is written with objects for keys, as fastjson reads it, and read back', () => {
    const text = encodeQueueTable([[queue, 10]])
    assert.equal(text, '{{"brokerName":"b","queueId":3,"topic":"T"}:10}')
    assert.deepEqual(parseQueueTable(`{"offsetTable":${text}}`), [[queue, 10]])
  })

  it('is read with quoted keys too, and with blanks', () => {
    const quoted = '{"offsetTable" : {"{\\"topic\\":\\"T\\",\\"brokerName\\":\\"b\\",\\"queueId\\":3}" : -1}}'
    assert.deepEqual(parseQueueTable(quoted), [[queue, -1]])
    assert.deepEqual(parseQueueTable('{"offsetTable":{}}'), [])
  })

  it('is told from a text that is none, or ends in the middle, as an offset table', () => {
    const table = `{"offsetTable":${encodeQueueTable([[queue, 10]])}}`
    assert.deepEqual(parseOffsetTable(table), [[queue, 10]])
    assert.deepEqual(parseOffsetTable(' {\n\toffsetTable : { } }'), [])
    for (const text of ['', 'null', '{"offsetTable":null}', '{"offsetTable":{{', table.slice(0, -4), `[${table}]`]) {
      assert.equal(parseOffsetTable(text), undefined, text)
    }
  })
})
