/** The command `ccdash`. */
import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { createContext } from './context.ts';
import { createProgram } from './program.ts';
import { EXIT, cliRefusal, refuse } from './refusals.ts';

async function main(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done;
  const program = createProgram({
    onExit: (code) => {
      exitCode = code;
    },
  });
  // What cannot be parsed is still known to want JSON.
  const isJson = args.slice(0, endOfOptions(args)).includes('--json');
  let said = '';
  forEachCommand(program, (command) => {
    command.exitOverride();
    if (isJson) command.configureOutput({ writeErr: (text) => (said += text) });
  });
  try {
    await program.parseAsync(withVerb(program, args), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.done;
    if (isJson) {
      const detail = error.message.replace(/^error: /, '') || said.trim();
      const context = createContext({ isJson, projectOption: null });
      refuse(context, cliRefusal('UsageError', detail, 'See: ccdash --help'));
    }
    return EXIT.usage;
  }
}

/** Without a verb it is `serve`. */
function withVerb(program: Command, args: readonly string[]): string[] {
  const { operands, unknown } = program.parseOptions([...args]);
  const asksForHelp = unknown.includes('--help') || unknown.includes('-h');
  return operands.length === 0 && !asksForHelp ? ['serve', ...args] : [...args];
}

function endOfOptions(args: readonly string[]): number {
  const end = args.indexOf('--');
  return end === -1 ? args.length : end;
}

function forEachCommand(command: Command, act: (command: Command) => void): void {
  act(command);
  for (const child of command.commands) forEachCommand(child, act);
}

// A reader that has seen enough (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
process.exitCode = await main(process.argv.slice(2));
