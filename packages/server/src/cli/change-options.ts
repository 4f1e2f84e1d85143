/** Flags that say what a step is to have otherwise when it is tried again. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { err, ok } from '@ccdash/api/client';
import type { BudgetChange, Result, StepChange } from '@ccdash/api/client';
import { durationToMs } from '@ccdash/api/plan';
import type { Context } from './context.ts';
import { cliRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export interface ChangeFlags {
  readonly promptFile?: string;
  readonly model?: string;
  readonly command?: string;
  readonly budget?: Readonly<Record<string, string>>;
}

const EXAMPLE = 'Give it as --budget usd=5, tokens=2000000, turns=80 or time=30m.';

/** Null when nothing is to change. Errors: UsageError, FileUnusable. */
export async function flagsToChange(
  context: Context,
  { promptFile, model, command, budget }: ChangeFlags,
): Promise<Result<StepChange | null, CliRefusal>> {
  const limits = textsToBudget(budget ?? {});
  if (!limits.ok) return limits;
  const prompt = promptFile === undefined ? ok(undefined) : await readPrompt(context, promptFile);
  if (!prompt.ok) return prompt;
  const change: StepChange = {
    ...(prompt.value === undefined ? {} : { prompt: prompt.value }),
    ...(model === undefined ? {} : { model }),
    ...(command === undefined ? {} : { command }),
    ...(Object.keys(limits.value).length === 0 ? {} : { budget: limits.value }),
  };
  return ok(Object.keys(change).length === 0 ? null : change);
}

function textsToBudget(texts: Readonly<Record<string, string>>): Result<BudgetChange, CliRefusal> {
  const budget: Record<string, number> = {};
  for (const [name, text] of Object.entries(texts)) {
    const isTime = name === 'time';
    if (!isTime && name !== 'usd' && name !== 'tokens' && name !== 'turns') {
      return err(cliRefusal('UsageError', `There is no budget of ${name}.`, EXAMPLE));
    }
    const amount = isTime ? (durationToMs(text) ?? NaN) : Number(text);
    const isWhole = name === 'usd' || Number.isInteger(amount);
    if (text.trim() === '' || !Number.isFinite(amount) || amount <= 0 || !isWhole) {
      return err(cliRefusal('UsageError', `${name}=${text} is no budget.`, EXAMPLE));
    }
    budget[isTime ? 'timeMs' : name] = amount;
  }
  return ok(budget);
}

async function readPrompt(context: Context, file: string): Promise<Result<string, CliRefusal>> {
  try {
    const text = await readFile(resolve(context.cwd, file), 'utf8');
    if (text.trim() !== '') return ok(text);
    return err(cliRefusal('FileUnusable', `${file} is empty.`, 'Write the prompt into it.'));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${file} cannot be read (${String(error.code)}).`;
    return err(cliRefusal('FileUnusable', detail, 'Name a text file that holds the prompt.'));
  }
}
