import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import { checkedSignal, listenToAbort, stopListening } from '../../ts/abort-listeners.js'
import { InvalidArgumentError } from '../../ts/errors.js'

describe('those who listen to a signal', () => {
  it('are told once each, with one listener at the signal for all of them', () => {
    const controller = new AbortController()
    const { signal } = controller
    const told: number[] = []
    const listeners = Array.from({ length: 100 }, (_, n) => ({ handleAbort: () => void told.push(n) }))
    for (const listener of listeners) listenToAbort(signal, listener)
    assert.equal(getEventListeners(signal, 'abort').length, 1)
    for (const listener of listeners.slice(2)) stopListening(signal, listener)
    controller.abort()
    assert.deepEqual(told, [0, 1])
    for (const listener of listeners) stopListening(signal, listener)
  })

  it('leave nothing behind, and may come again', () => {
    const controller = new AbortController()
    const { signal } = controller
    let told = 0
    const listener = { handleAbort: () => void told++ }
    listenToAbort(signal, listener)
    stopListening(signal, listener)
    stopListening(signal, listener)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
    listenToAbort(signal, listener)
    controller.abort()
    assert.equal(told, 1)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  it('are not told when another of them takes them out first', () => {
    const controller = new AbortController()
    const { signal } = controller
    const second = { handleAbort: () => assert.fail('was taken out') }
    listenToAbort(signal, { handleAbort: () => stopListening(signal, second) })
    listenToAbort(signal, second)
    controller.abort()
  })
})

describe('a signal as a user gives it', () => {
  it('may be missing or null, and is nothing but a signal', () => {
    const { signal } = new AbortController()
    assert.equal(checkedSignal(signal), signal)
    assert.equal(checkedSignal(undefined), undefined)
    assert.equal(checkedSignal(null), undefined)
    for (const wrong of [{}, 'x', 5, { aborted: false }]) {
      assert.throws(() => checkedSignal(wrong as AbortSignal), InvalidArgumentError)
    }
  })
})
