import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { buildSubscriptionData } from '../../../ts/consumer/subscription.js'
import { InvalidArgumentError } from '../../../ts/errors.js'

describe('a subscription', () => {
  it('to everything has no tags', () => {
    for (const expression of ['*', '', ' * ']) {
      const { subString, tagsSet, codeSet } = buildSubscriptionData('T', expression, 1)
      assert.deepEqual([subString, tagsSet, codeSet], ['*', [], []])
    }
  })

  it('to tags has each of them once, and its hash', () => {
    const { subString, tagsSet, codeSet } = buildSubscriptionData('T', 'TagA || TagB||TagA', 1)
    assert.equal(subString, 'TagA || TagB||TagA')
    assert.deepEqual(tagsSet, ['TagA', 'TagB'])
    assert.deepEqual(codeSet, [2598919, 2598920])
  })

  it('to no tag at all is refused', () => {
    assert.throws(() => buildSubscriptionData('T', '||', 1), InvalidArgumentError)
  })
})
