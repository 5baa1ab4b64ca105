import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TwinWatch } from '../../../ts/client/twin-watch.js'

describe('a client whose id somebody else has too', () => {
  it('says so once, when the other one stays', t => {
    t.mock.timers.enable({ apis: ['Date'], now: 1_000_000 })
    const reports: string[] = []
    const watch = new TwinWatch('me', 'all is lost', error => reports.push(error.message))
    const look = (seconds: number, ...members: string[]): void => {
      t.mock.timers.setTime(1_000_000 + seconds * 1000)
      watch.look('G', members)
    }
    look(0, 'me', 'other')
    look(20, 'me', 'me')
    look(40, 'me', 'other')
    look(50, 'me', 'me')
    look(100, 'me', 'me')
    assert.deepEqual(reports, [], 'a connection that broke may be listed for a while')
    look(110, 'me', 'other', 'me')
    look(130, 'me', 'other', 'me')
    assert.equal(reports.length, 1)
    assert.match(reports[0]!, /another live client calls itself me, .* group G\): all is lost; .* instanceName/)
  })
})
