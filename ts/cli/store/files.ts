import { readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'

/** A file of a store. */
export interface StoreFile {
  /** Relative to the store. */
  readonly path: string
  readonly bytes: number
}

/** All files under a directory, by path. */
export async function filesUnder(root: string, directory = root): Promise<StoreFile[]> {
  const entries = await readdir(directory, { withFileTypes: true })
  const found = await Promise.all(
    entries.map(async (entry): Promise<StoreFile[]> => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) return filesUnder(root, path)
      return [{ path: relative(root, path), bytes: (await stat(path)).size }]
    })
  )
  return found.flat().sort((a, b) => (a.path < b.path ? -1 : 1))
}
