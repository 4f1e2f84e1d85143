/** A run's model as a script that plays it again. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Context } from './context.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import { connectToRun } from './run-verbs.ts';

export async function recordRun(context: Context, id: string, out: string): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { connection, run } = found.value;
  const recorded = await connection.client.recording(run.id);
  if (!recorded.ok) return refuse(context, problemToRefusal(recorded.error));
  const { script, answers, leftOut } = recorded.value;
  if (answers === 0) {
    const detail = `Run ${run.id} has no answer of a model. ${leftOut.join('; ')}`.trim();
    const hint = 'Name a run whose agents have asked a model: ccdash run list';
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  const head = `# What the model answered in ${run.id} of the plan ${run.plan.name}, without secrets.\n`;
  const file = resolve(context.cwd, out);
  try {
    writeFileSync(file, head + stringify(script, { aliasDuplicateObjects: false }), {
      flag: 'wx',
      mode: 0o600,
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const why =
      error.code === 'EEXIST' ? 'is there already' : `cannot be written (${String(error.code)})`;
    return refuse(context, cliRefusal('FileUnusable', `${out} ${why}.`, 'Name another file.'));
  }
  if (context.isJson) context.writeJson({ file, answers, leftOut });
  context.say(`${answers} answers of the model are in ${out}.`);
  for (const line of leftOut) context.say({ text: `  not in it: ${line}`, style: 'wait' });
  context.say({
    text: `Play it: CCDASH_SCRIPTED_MODEL=${file} ccdash serve, then run the same plan`,
    style: 'quiet',
  });
  return EXIT.done;
}
