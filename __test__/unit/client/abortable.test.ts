import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { abortable } from '../../../ts/client/abortable.js'
import { AbortedError } from '../../../ts/errors.js'

describe('abortable', () => {
  it('is the promise, and leaves no listener behind', async () => {
    const { signal } = new AbortController()
    assert.equal(await abortable('x', Promise.resolve(5), signal), 5)
    assert.equal(await abortable('x', Promise.resolve(5), undefined), 5)
    await assert.rejects(abortable('x', Promise.reject(new Error('no')), signal), /no/)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('rejects when the signal fires, before or while it waits', async () => {
    const controller = new AbortController()
    const waiting = abortable('waiting', new Promise(() => undefined), controller.signal)
    controller.abort()
    await assert.rejects(waiting, AbortedError)
    await assert.rejects(abortable('waiting', Promise.resolve(), controller.signal), /waiting was aborted/)
  })
})
