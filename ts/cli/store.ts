import { Command, InvalidArgumentError, Option } from 'commander'
import { whole } from './arguments.js'
import { addHelpCommand } from './help.js'

/** `rocketmq-native store`: one file a command in `store/`, loaded when it runs. */
export function storeCommand(): Command {
  const store = new Command('store')
    .summary('look into the files of a stopped broker')
    .description('Works on the store directory of a stopped broker, ours or Apache\'s.\nOnly "rebuild" writes to it.')
  const add = (name: string, summary: string): Command => {
    const command = new Command(name).summary(summary).description(summary)
    command.argument('<directory>', 'directory of the store').helpOption('-h, --help', 'print this help')
    store.addCommand(command)
    return command.option('--json', 'print JSON')
  }
  add('ls', 'List topics, queues and files.').action(async (directory: string, options: { json?: boolean }) =>
    (await import('./store/ls.js')).ls(directory, options)
  )
  add('stats', 'Print sizes, offsets and depths.').action(async (directory: string, options: { json?: boolean }) =>
    (await import('./store/stats.js')).stats(directory, options)
  )
  add('verify', 'Check every record, and queues and index against the records; exit code 1 on faults.').action(
    async (directory: string, options: { json?: boolean }) =>
      (await import('./store/verify.js')).verifyStore(directory, options)
  )
  add('rebuild', 'Make consume queues and index anew from the commit log.').action(
    async (directory: string, options: { json?: boolean }) =>
      (await import('./store/rebuild.js')).rebuildStore(directory, options)
  )
  const cat = new Command('cat')
    .summary('Print messages, one JSON object a line.')
    .description('Prints messages, one JSON object a line: of a queue, of a topic, or of the whole log.')
    .argument('<directory>', 'directory of the store')
    .helpOption('-h, --help', 'print this help')
    .option('-t, --topic <topic>', 'only messages of this topic')
    .option('-q, --queue <id>', 'only this queue of the topic', whole(0, 2 ** 31 - 1))
    .option('--from <offset>', 'first offset: of the queue, else of the commit log', offset)
    .option('--to <offset>', 'first offset not to print any more', offset)
    .option('--key <key>', 'only messages with this key or unique key; with --topic by the index')
    .option('--max <n>', 'at most so many', whole(1, Number.MAX_SAFE_INTEGER))
    .addOption(
      new Option('--body <form>', 'how bodies are printed')
        .choices(['text', 'json', 'hex', 'base64', 'none'])
        .default('text')
    )
    .action(async (directory: string, options: object) =>
      (await import('./store/cat.js')).cat(directory, options as never)
    )
  store.addCommand(cat)
  addHelpCommand(store)
  return store
}

const MAX_OFFSET = 2n ** 63n - 1n

function offset(text: string): bigint {
  if (!/^\d{1,19}$/.test(text) || BigInt(text) > MAX_OFFSET) {
    throw new InvalidArgumentError(`It must be a whole number from 0 to ${MAX_OFFSET}.`)
  }
  return BigInt(text)
}
