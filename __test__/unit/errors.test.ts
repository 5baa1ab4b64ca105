import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as errors from '../../ts/errors.js'

const aborted = AbortSignal.abort(new Error('why'))

const cases: [errors.RocketMQError, code: errors.ErrorCode, retryable: boolean, clientErrorCode: number | undefined][] =
  [
    [new errors.ClientStateError('x'), 'RMQ_STATE', false, undefined],
    [new errors.ConfigError('x'), 'RMQ_CONFIG', false, undefined],
    [new errors.InvalidArgumentError('x'), 'RMQ_ARGUMENT', false, undefined],
    [new errors.ConnectionError('x', 'a:1'), 'RMQ_CONNECTION', true, 10001],
    [new errors.TimeoutError('x', 3), 'RMQ_TIMEOUT', true, 10002],
    [new errors.ProtocolError('x'), 'RMQ_PROTOCOL', false, undefined],
    [new errors.BrokerError(13, 'bad', 'a:1', 310), 'RMQ_BROKER', false, undefined],
    [new errors.BrokerError(2, 'busy', 'a:1', 310), 'RMQ_BROKER', true, undefined],
    [new errors.RouteError('x', { clientErrorCode: 10005 }), 'RMQ_ROUTE', true, 10005],
    [new errors.SendError('x', 'T', []), 'RMQ_SEND', true, undefined],
    [new errors.BusyError('x'), 'RMQ_BUSY', true, undefined],
    [new errors.StoreError('x'), 'RMQ_STORE', false, undefined],
    [new errors.ServerError('x'), 'RMQ_SERVER', false, undefined],
    [new errors.AbortedError('x', aborted), 'RMQ_ABORTED', false, undefined],
    [new errors.NotSupportedError('x'), 'RMQ_NOT_SUPPORTED', false, undefined]
  ]

describe('errors', () => {
  for (const [error, code, retryable, clientErrorCode] of cases) {
    it(`${error.constructor.name} is named after its class and has code ${code}, retryable ${retryable}`, () => {
      assert.ok(error instanceof errors.RocketMQError)
      assert.equal(error.name, error.constructor.name)
      assert.equal(error.code, code)
      assert.equal(error.retryable, retryable)
      assert.equal(error.clientErrorCode, clientErrorCode)
    })
  }

  it('a broker error says who answered what to which request', () => {
    const { message, responseCode, remark, brokerAddr, requestCode } = new errors.BrokerError(13, 'bad', 'a:1', 310)
    assert.deepEqual([responseCode, remark, brokerAddr, requestCode], [13, 'bad', 'a:1', 310])
    assert.match(message, /310.*a:1.*13.*bad/)
  })

  it('a send error takes cause, response code and retryability from its last attempt', () => {
    const first = { brokerName: 'a', queueId: 0, durationMs: 1, error: new errors.TimeoutError('t', 1) }
    const last = { brokerName: 'b', queueId: 1, durationMs: 1, error: new errors.BrokerError(13, '', 'b:1', 310) }
    const error = new errors.SendError('x', 'T', [first, last])
    assert.equal(error.cause, last.error)
    assert.equal(error.responseCode, 13)
    assert.equal(error.retryable, false)
  })

  it('an aborted call carries the reason of the signal as its cause', () => {
    assert.equal(new errors.AbortedError('x', aborted).cause, aborted.reason)
  })
})
