/** What one use of a tool by an agent does, in the same words as commands. */
import { EFFECT_CLASSES } from '@ccdash/core';
import type { CommandFacts, EffectClass, Json } from '@ccdash/core';
import { classifyCommand, CLASSIFIER_VERSION } from './classify-command.ts';
import { placeOf } from './places.ts';
import { exactWord } from './seen-word.ts';

/** Fields in which the tools of the agents name a file, and a folder to run a command in. */
const FILE_FIELDS = ['file_path', 'path', 'notebook_path', 'abs_path', 'filePath'];
const FOLDER_FIELDS = ['cwd', 'workdir', 'working_directory'];

/**
 * `tool`: its canonical name. A command is looked through; a file is judged by its name; which files a tool may touch at
 * all is the gate's business. What is not known is unparsed.
 */
export function classifyTool(tool: string, input: Json): CommandFacts {
  switch (tool) {
    case 'exec':
      return classifyExec(input);
    case 'read':
    case 'search':
      return classifyFile(input, 'reads');
    case 'edit':
      return classifyFile(input, 'writes-workspace');
    case 'fetch':
      return facts([['network', 'it fetches from the network']]);
    case 'agent':
      return facts([['reads', 'it starts an agent, whose tools are asked about one by one']]);
    default:
      return facts([['unparsed', `what the tool ${tool} does is not known`]]);
  }
}

function classifyExec(input: Json): CommandFacts {
  const command = fieldOf(input, 'command') ?? fieldOf(input, 'cmd');
  const folder = FOLDER_FIELDS.map((name) => fieldOf(input, name)).find((each) => each !== null);
  if (typeof command === 'string') {
    const found = classifyCommand({ script: command });
    return folder === undefined ? found : inFolder(found);
  }
  const isArgv = Array.isArray(command) && command.every((part) => typeof part === 'string');
  const [first, ...rest] = isArgv ? command : [];
  if (first === undefined) return facts([['unparsed', 'the command cannot be told']]);
  const found = classifyCommand({ argv: [first, ...rest] });
  return folder === undefined ? found : inFolder(found);
}

/** The folder is the agent's choice: names of files may lead anywhere from there. */
function inFolder(found: CommandFacts): CommandFacts {
  if (!found.effects.includes('writes-workspace')) return found;
  const text = 'it writes files, from a folder that the agent has chosen';
  const because = [...found.because, { effect: 'unparsed', text } as const];
  const rest = facts(because.map(({ effect, text: why }) => [effect, why]));
  return { ...found, effects: rest.effects, because: rest.because };
}

function classifyFile(input: Json, access: 'reads' | 'writes-workspace'): CommandFacts {
  const found: [EffectClass, string][] = [
    [access, `it ${access === 'reads' ? 'reads' : 'writes'}`],
  ];
  for (const name of FILE_FIELDS) {
    const path = fieldOf(input, name);
    if (typeof path !== 'string') continue;
    const place = placeOf(exactWord(path));
    if (place === 'secret') found.push(['secrets', `${path} is where secrets are kept`]);
    if (/(^|\/)\.(git|ccdash)(\/|$)/i.test(path) && access === 'writes-workspace') {
      found.push(['writes-outside', `${path} is not a file of the work`]);
    }
  }
  return facts(found);
}

function facts(found: readonly (readonly [EffectClass, string])[]): CommandFacts {
  const because = found.map(([effect, text]) => ({ effect, text }));
  const seen = new Set(found.map(([effect]) => effect));
  const effects = EFFECT_CLASSES.filter((effect) => seen.has(effect));
  return { effects, because, programs: [], classifier: CLASSIFIER_VERSION };
}

function fieldOf(input: Json, name: string): Json | null {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return null;
  const fields = input as Readonly<Record<string, Json>>;
  return Object.hasOwn(fields, name) ? (fields[name] ?? null) : null;
}
