/** Asks the person at the terminal for a decision. Only `y` approves; what was typed before the question does not count. */
import { createInterface } from 'node:readline/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Context } from './context.ts';
import { textToValue } from './form-values.ts';
import type { FormFields, FormValues } from './form-values.ts';

export type Answer =
  | {
      readonly type: 'decided';
      readonly decision: 'approve' | 'reject';
      readonly reason: string;
      readonly form: FormValues;
    }
  | { readonly type: 'later' }
  /** Ctrl-C. */
  | { readonly type: 'interrupted' };

/** How long the keyboard must be silent before the question is put. */
const SILENCE_MS = 150;
const INTERRUPTED = 'Ctrl-C';

export async function askForDecision(context: Context, fields: FormFields): Promise<Answer> {
  const answer = await atTerminal(context, (ask) => converse(context, ask, fields));
  return typeof answer === 'string' ? { type: answer } : answer;
}

/** Only `y` means yes. */
export async function askYes(context: Context, question: string): Promise<'yes' | 'no'> {
  const word = await atTerminal(context, (ask) => ask(`${question} [y/N] `));
  return ['y', 'yes'].includes(word.toLowerCase()) ? 'yes' : 'no';
}

type Ask = (question: string) => Promise<string>;

/** Talks; `interrupted` on Ctrl-C, `later` at the end of the input. */
async function atTerminal<T>(
  context: Context,
  talk: (ask: Ask) => Promise<T>,
): Promise<T | 'interrupted' | 'later'> {
  await drainInput();
  const gone = new AbortController();
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  lines.on('SIGINT', () => gone.abort(INTERRUPTED));
  lines.on('close', () => gone.abort());
  try {
    return await talk(async (question) =>
      (await lines.question(question, { signal: gone.signal })).trim(),
    );
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    context.say('');
    return gone.signal.reason === INTERRUPTED ? 'interrupted' : 'later';
  } finally {
    lines.close();
  }
}

async function converse(context: Context, ask: Ask, fields: FormFields): Promise<Answer> {
  const word = (await ask('approve? y = yes, n = no, Enter = decide later [y/N] ')).toLowerCase();
  if (word === 'y' || word === 'yes') {
    const form = await fillIn(context, ask, fields);
    return { type: 'decided', decision: 'approve', reason: '', form };
  }
  if (word !== 'n' && word !== 'no') return { type: 'later' };
  const reason = await ask('why not? (Enter = decide later) ');
  if (reason === '') return { type: 'later' };
  return { type: 'decided', decision: 'reject', reason, form: {} };
}

async function fillIn(
  context: Context,
  ask: (question: string) => Promise<string>,
  fields: FormFields,
): Promise<FormValues> {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, { type, required }] of Object.entries(fields)) {
    for (;;) {
      const text = await ask(`${name} (${type}${required ? '' : ', optional'}): `);
      if (text === '' && !required) break;
      const value = text === '' ? null : textToValue(text, type);
      if (value !== null) {
        values[name] = value;
        break;
      }
      context.say(`${name} must be a ${type}.`);
    }
  }
  return values;
}

/** Throws away what was typed while nothing was asked. */
async function drainInput(): Promise<void> {
  const { stdin } = process;
  let typed = true;
  const onData = (): void => {
    typed = true;
  };
  stdin.setRawMode(true);
  stdin.on('data', onData);
  stdin.resume();
  while (typed) {
    typed = false;
    await wait(SILENCE_MS);
  }
  stdin.off('data', onData);
  stdin.pause();
  stdin.setRawMode(false);
}
