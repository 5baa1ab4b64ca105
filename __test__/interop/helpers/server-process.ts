/** What starting Apache's servers and starting ours have in common. */
import { writeFileSync } from 'node:fs'
import type { OwnedProcess } from './owned.js'
import { until } from './until.js'

/** Lines of a broker.conf. */
export type BrokerProperties = Readonly<Record<string, string | number | boolean>>

/** Writes a properties file and returns its name. */
export function writeProperties(file: string, properties: BrokerProperties): string {
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join('')
  )
  return file
}

/** A server in a child process. */
export interface ServerProcess extends AsyncDisposable {
  readonly process: OwnedProcess
}

/** Polls until the server is ready; when it left instead, or never is, it is disposed and the error has its output. */
export async function untilReady<S extends ServerProcess>(server: S, ready: () => Promise<boolean>): Promise<S> {
  const { process } = server
  const name = server.constructor.name
  try {
    await until(`${name} answers`, () => !process.running || ready(), { everyMs: 10 })
    if (process.running) return server
    throw new Error(`left with ${await process.exited()}`)
  } catch (error) {
    await server[Symbol.asyncDispose]()
    throw new Error(`${name} does not start:\n${process.output}`, { cause: error })
  }
}
