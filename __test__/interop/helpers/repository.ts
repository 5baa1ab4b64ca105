import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'

function findRoot(): string {
  for (let directory = __dirname; ; directory = dirname(directory)) {
    if (existsSync(join(directory, 'package.json'))) return directory
    if (directory === dirname(directory)) throw new Error(`no package.json above ${__dirname}`)
  }
}

/** The root directory of this repository: the tests run from build/, their Java and XML files lie beside the sources. */
export const repositoryRoot = findRoot()
