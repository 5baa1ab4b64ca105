import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { withoutNamespace, wrapNamespace } from '../../../ts/client/namespace.js'

describe('a namespace', () => {
  // What NamespaceUtil of Apache 5.5.0 gives for the namespace NS: the name, wrapped, without.
  const byJava = [
    ['T', 'NS%T', 'T'],
    ['NS%T', 'NS%T', 'T'],
    ['NS2%T', 'NS%NS2%T', 'NS2%T'],
    ['%RETRY%G', '%RETRY%NS%G', '%RETRY%G'],
    ['%DLQ%G', '%DLQ%NS%G', '%DLQ%G'],
    ['%RETRY%NS%G', '%RETRY%NS%G', '%RETRY%G'],
    ['%DLQ%NS%G', '%DLQ%NS%G', '%DLQ%G'],
    ['TBW102', 'TBW102', 'TBW102'],
    ['RMQ_SYS_TRACE_TOPIC', 'RMQ_SYS_TRACE_TOPIC', 'RMQ_SYS_TRACE_TOPIC'],
    ['rmq_sys_x', 'rmq_sys_x', 'rmq_sys_x'],
    ['CID_RMQ_SYS_x', 'CID_RMQ_SYS_x', 'CID_RMQ_SYS_x'],
    ['%RETRY%CID_RMQ_SYS_x', '%RETRY%NS%CID_RMQ_SYS_x', '%RETRY%CID_RMQ_SYS_x'],
    ['%RETRY%TBW102', '%RETRY%NS%TBW102', '%RETRY%TBW102'],
    ['NS', 'NS%NS', 'NS'],
    ['NS%', 'NS%', ''],
    ['NS%NS%T', 'NS%NS%T', 'NS%T']
  ] as const
  for (const [name, wrapped, without] of byJava) {
    it(`is put before ${name} and taken away again as Java does`, () => {
      assert.deepEqual([wrapNamespace('NS', name), withoutNamespace('NS', name)], [wrapped, without])
    })
  }
})
