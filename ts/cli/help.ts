import { Command } from 'commander'

/** `help [command...]` of a command that has others; Commander's own takes one name, and any name. */
export function addHelpCommand(parent: Command): void {
  const help = new Command('help')
    .summary('print the help of a command')
    .description('Prints the help of a command.')
    .argument('[command...]', 'its name, and behind it that of a command it has')
    .helpOption('-h, --help', 'print this help')
    .action((names: string[]) => {
      let command = parent
      for (const name of names) {
        const found = command.commands.find(each => each.name() === name)
        if (found === undefined) throw new Error(`unknown command '${name}'`)
        command = found
      }
      command.help()
    })
  parent.helpCommand(false).addCommand(help)
}
