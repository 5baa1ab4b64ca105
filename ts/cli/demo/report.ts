import { resourceUsage } from 'node:process'
import { counted, grouped, print } from '../terminal.js'
import type { Arrivals } from './arrivals.js'
import type { SendLoad } from './send-load.js'

const SHOWN_RANGES = 5

/** Prints rates, latencies, memory and the verdict; returns whether every message arrived unharmed. */
export function report(load: SendLoad, arrivals: Arrivals): boolean {
  const { latencies } = load
  const receiveMs = arrivals.lastAt - arrivals.firstAt
  print()
  print(`sent       ${rate(load.acknowledged, load.elapsedMs)}`)
  print(`received   ${rate(arrivals.distinct, receiveMs)}`)
  const percentiles = [0.5, 0.99, 0.999].map(p => `p${p * 100} ${millis(latencies.percentileMs(p))}`).join('   ')
  print(`a send     ${percentiles}   max ${millis(latencies.maxMs)}`)
  if (load.repeated > 0)
    print(`repeated   ${counted(load.repeated, 'send')}: the broker was busy or did not answer in time`)
  print(`memory     ${grouped(resourceUsage().maxRSS / 1_024)} MiB resident at most, all in this process`)
  print()
  return verdict(load, arrivals)
}

function verdict({ failed, firstError, acknowledged, options }: SendLoad, arrivals: Arrivals): boolean {
  const { messages } = options
  const lost = acknowledged - arrivals.distinct
  const duplicates = counted(arrivals.duplicates, 'duplicate')
  if (arrivals.distinct === messages && arrivals.corrupt === 0 && failed === 0) {
    print(`OK: ${counted(messages, 'message')} sent, each of them received, every checksum right, ${duplicates}`)
    return true
  }
  print(`FAILED: ${grouped(arrivals.distinct)} of ${counted(messages, 'message')} received, ${duplicates}`)
  if (failed > 0) print(`  ${counted(failed, 'send')} failed, the first one: ${firstError!.message}`)
  if (arrivals.corrupt > 0) print(`  ${counted(arrivals.corrupt, 'message')} with a wrong length or checksum`)
  if (lost > 0) print(`  ${counted(lost, 'message')} acknowledged but not received`)
  if (arrivals.distinct < messages) print(`  not received: ${arrivals.missing(SHOWN_RANGES)}`)
  return false
}

function rate(count: number, ms: number): string {
  const perSecond = ms === 0 ? 0 : (count * 1_000) / ms
  return `${grouped(count)} in ${(ms / 1_000).toFixed(2)} s, ${grouped(perSecond)} messages/s`
}

function millis(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : 1)} ms`
}
