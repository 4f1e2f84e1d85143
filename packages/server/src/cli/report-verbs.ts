/** A run as a file that proves itself, and the proof checked. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { err, ok } from '@ccdash/api/client';
import type { Result } from '@ccdash/api/client';
import { isErrno } from '../base/process-identity.ts';
import type { Context } from './context.ts';
import { toPlainLine } from './plain-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';
import { connectToRun } from './run-verbs.ts';

export async function writeReport(
  context: Context,
  id: string,
  format: 'html' | 'md' | 'json',
  out: string | null,
): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const { connection, run } = found.value;
  const made = await connection.client.report(run.id, format);
  if (!made.ok) return refuse(context, problemToRefusal(made.error));
  if (out === null) {
    context.writeRaw(Buffer.from(made.value));
    return EXIT.done;
  }
  const file = resolve(context.cwd, out);
  try {
    writeFileSync(file, made.value, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const why = isErrno(error, 'EEXIST')
      ? 'is there already'
      : `cannot be written (${String(error.code)})`;
    return refuse(context, cliRefusal('FileUnusable', `${out} ${why}.`, 'Name another file.'));
  }
  if (context.isJson) context.writeJson({ run: run.id, status: run.status, format, file });
  else context.say(`Wrote ${out}. Check it anywhere: ccdash report verify ${out}`);
  return EXIT.done;
}

export async function verifyReportFile(
  context: Context,
  name: string,
  trust: { readonly publicKey: string | null; readonly witness: string | null },
): Promise<number> {
  const file = readText(context, name);
  if (!file.ok) return refuse(context, file.error);
  const witness = trust.witness === null ? ok(null) : readText(context, trust.witness);
  if (!witness.ok) return refuse(context, witness.error);
  const { verifyReport } = await import('../app.ts');
  const { publicKey } = trust;
  const verified = verifyReport(file.value, { publicKey, witness: witness.value });
  if (!verified.ok) {
    if (context.isJson) context.writeJson({ ok: false, problem: verified.error });
    else context.say({ text: 'not valid', style: 'bad' }, `  ${toPlainLine(verified.error, 400)}`);
    return EXIT.failed;
  }
  const report = verified.value;
  const isSound = report.bypasses.length === 0;
  if (context.isJson) {
    context.writeJson({ ok: isSound, ...report });
    return isSound ? EXIT.done : EXIT.failed;
  }
  const { runId, status, entries, size, root } = report;
  context.say(
    { text: isSound ? 'valid' : 'not valid', style: isSound ? 'good' : 'bad' },
    `  run ${toPlainLine(runId, 100)}, ${status}: ${entries} of the ${size} entries of its log, root ${root}`,
  );
  for (const bypass of report.bypasses) context.say(`  without its decision: ${bypass}`);
  const key = toPlainLine(report.publicKey, 300);
  if (publicKey === null) {
    context.say({ text: `  signed with ${key}, which only the file names`, style: 'wait' });
    context.say('  To know who signed it, have the key from them: --public-key KEY');
  }
  return isSound ? EXIT.done : EXIT.failed;
}

function readText(context: Context, name: string): Result<string, CliRefusal> {
  try {
    return ok(readFileSync(resolve(context.cwd, name), 'utf8'));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${name} cannot be read (${String(error.code)}).`;
    return err(cliRefusal('FileUnusable', detail, 'Name a file that can be read.'));
  }
}
