#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { brokerCommand } from './broker.js'
import { consumeCommand } from './consume.js'
import { demoCommand } from './demo.js'
import { addHelpCommand } from './help.js'
import { namesrvCommand } from './namesrv.js'
import { sendCommand } from './send.js'
import { storeCommand } from './store.js'
import { fail } from './terminal.js'
import { VERSION } from './version.js'

/**
 * The command line. What a command needs beyond its options is loaded when it runs, so that a broker starts without the
 * client and `--help` without the addon.
 *
 * @packageDocumentation
 */

const program = new Command('rocketmq-native')
  .description('Apache RocketMQ for Node.js: client and server, native, with no JVM.')
  .version(VERSION, '-v, --version', 'print the version')
  .helpOption('-h, --help', 'print this help')
  .addHelpText(
    'after',
    `
Examples:
  rocketmq-native broker                       a name server and a broker, here
  rocketmq-native send -t TopicTest hello      send one message to them
  rocketmq-native consume -t TopicTest -g me   print what arrives
  rocketmq-native demo                         a million messages, checked`
  )
for (const command of [
  brokerCommand(),
  namesrvCommand(),
  sendCommand(),
  consumeCommand(),
  demoCommand(),
  storeCommand()
]) {
  command.helpOption('-h, --help', 'print this help')
  program.addCommand(command)
}
addHelpCommand(program)
for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
  command.exitOverride().configureOutput({ outputError: text => void text })
}

// Where errors cannot be told there is nobody to tell of that either.
process.stderr.on('error', () => undefined)
program.parseAsync().catch((error: unknown) => {
  const isCommander = error instanceof CommanderError
  // Help and version that were asked for end here too, and are printed already.
  if (isCommander && error.exitCode === 0) return
  // A call without a command printed the help; that is answer enough.
  if (isCommander && error.code === 'commander.help') process.exit(1)
  fail(error)
})
