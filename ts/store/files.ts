import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { StoreError } from '../errors.js'

/** A file of a store. */
export interface StoreFile {
  /** Relative to where it was looked for. */
  readonly path: string
  readonly bytes: number
}

/**
 * All files under a directory, by path. What is gone when it is looked at (files are deleted while a store runs), or not for
 * this user, as `lost+found`, is left out: what the store needs it has read itself.
 *
 * @throws StoreError when the disk cannot be read
 */
export async function filesUnder(root: string, directory = root): Promise<StoreFile[]> {
  const entries = await unlessGone(readdir(directory, { withFileTypes: true }))
  const found = await Promise.all(
    (entries ?? []).map(async (entry): Promise<StoreFile[]> => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return filesUnder(root, path)
      const status = await unlessGone(stat(path))
      return status?.isFile() === true ? [{ path: relative(root, path), bytes: status.size }] : []
    })
  )
  return found.flat().sort((a, b) => (a.path < b.path ? -1 : 1))
}

const LEFT_OUT = new Set(['ENOENT', 'EACCES', 'EPERM', 'ELOOP'])

function unlessGone<T>(looked: Promise<T>): Promise<T | undefined> {
  return looked.catch((error: NodeJS.ErrnoException) => {
    if (LEFT_OUT.has(error.code ?? '')) return undefined
    throw new StoreError(error.message, { cause: error })
  })
}
