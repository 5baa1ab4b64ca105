import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { filesUnder } from '../../../ts/store/files.js'
import { TemporaryDirectory } from '../../interop/helpers/owned.js'

describe('the files under a directory', () => {
  it('are listed by path, without those that go while they are looked at', async () => {
    using directory = new TemporaryDirectory()
    mkdirSync(join(directory.path, 'commitlog'))
    writeFileSync(join(directory.path, 'commitlog', '0'), 'four')
    writeFileSync(join(directory.path, 'abort'), '')
    // A name without a file is what is left of one that is deleted between listing and looking.
    symlinkSync(join(directory.path, 'gone'), join(directory.path, 'commitlog', '1'))
    assert.deepEqual(await filesUnder(directory.path), [
      { path: 'abort', bytes: 0 },
      { path: join('commitlog', '0'), bytes: 4 }
    ])
  })

  it('are none where there is no directory', async () => {
    using directory = new TemporaryDirectory()
    assert.deepEqual(await filesUnder(join(directory.path, 'index')), [])
  })
})
