/** Brings the result of a run to the user. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ApplySummaryView, Client, RunView } from '@ccdash/api/client';
import { askYes } from './ask.ts';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { findRun } from './ids.ts';
import { toPlainLine } from './plain-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';

export interface ApplyOptions {
  readonly as: 'branch' | 'squash' | 'merge' | 'patch';
  readonly branch: string | null;
  readonly message: string | null;
  readonly reason: string | null;
  /** For a patch; null: to stdout. */
  readonly out: string | null;
  /** Applies to a checkout with changes that are not committed; git still overwrites none of them. */
  readonly isDirtyAllowed: boolean;
  readonly isAgreed: boolean;
  readonly isDryRun: boolean;
}

const SHOWN_FILES = 20;

export async function applyRun(
  context: Context,
  id: string,
  options: ApplyOptions,
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const { client } = connection.value;
  const run = await findRun(client, id);
  if (!run.ok) return refuse(context, run.error);
  const { as, branch, message, reason } = options;
  if (as === 'patch') return writePatch(context, client, run.value, options);
  const body = { as, branch, message, reason };
  const summary = await client.previewApply(run.value.id, body);
  if (!summary.ok) return refuse(context, problemToRefusal(summary.error));
  const { digest, conflicts, isCheckedOut, dirty } = summary.value;
  if (!context.isJson) tellSummary(context, run.value, summary.value);
  if (options.isDryRun) {
    if (context.isJson) context.writeJson(summary.value);
    return conflicts.length > 0 ? EXIT.conflict : EXIT.done;
  }
  if (isCheckedOut && dirty.length > 0 && !options.isDirtyAllowed) {
    const files = dirty.slice(0, 5).map((path) => toPlainLine(path, 200));
    const detail = `The checkout has changes that are not committed: ${files.join(', ')}.`;
    const hint = 'Commit them, apply it --as branch, or say --dirty: none of them is overwritten.';
    return refuse(context, cliRefusal('CheckoutDirty', detail, hint));
  }
  // Conflicts are the server's to refuse: it says what to do.
  if (conflicts.length === 0 && !options.isAgreed) {
    if (!context.isInteractive) {
      const hint = 'Look with --dry-run, then say --yes.';
      return refuse(context, cliRefusal('NotAgreed', 'Nobody has agreed to this.', hint));
    }
    if ((await askYes(context, 'apply it?')) === 'no') return EXIT.blocked;
  }
  const applied = await client.apply(run.value.id, { ...body, digest });
  if (!applied.ok) return refuse(context, problemToRefusal(applied.error));
  if (context.isJson) context.writeJson(applied.value);
  const last = applied.value.applied.at(-1);
  const commit = last?.commit ?? null;
  if (last === undefined || commit === null) {
    const { message: detail = 'It could not be applied.', hint = null } = last?.failure ?? {};
    return refuse(context, {
      ...cliRefusal('NotAgreed', detail, hint ?? ''),
      type: 'NotApplicable',
      title: 'The result could not be applied.',
    });
  }
  if (!context.isJson) {
    context.say({ text: `${last.branch} is at ${commit.slice(0, 12)}`, style: 'good' });
  }
  return EXIT.done;
}

function tellSummary(context: Context, run: RunView, summary: ApplySummaryView): void {
  const { branch, from, files, insertions, deletions, isCheckedOut, conflicts } = summary;
  const where = from === null ? 'a new branch' : `now at ${from.slice(0, 12)}`;
  const checkedOut = isCheckedOut ? ', which is checked out' : '';
  context.say(
    { text: run.id, style: 'bold' },
    ` as ${summary.as} on ${branch} (${where}${checkedOut})`,
  );
  for (const { path, change } of files.slice(0, SHOWN_FILES)) {
    context.say(`  ${change.padEnd(12)}  ${toPlainLine(path, 200)}`);
  }
  if (files.length > SHOWN_FILES) context.say(`  and ${files.length - SHOWN_FILES} more`);
  const count = files.length === 1 ? '1 file' : `${files.length} files`;
  context.say({ text: `  ${count}, +${insertions} -${deletions}`, style: 'quiet' });
  for (const path of conflicts) {
    context.say({ text: `  conflict in ${toPlainLine(path, 200)}`, style: 'bad' });
  }
}

async function writePatch(
  context: Context,
  client: Client,
  run: RunView,
  { out, isDryRun }: ApplyOptions,
): Promise<number> {
  const patch = await client.patch(run.id);
  if (!patch.ok) return refuse(context, problemToRefusal(patch.error));
  const bytes = patch.value.length;
  if (out === null && !isDryRun) {
    process.stdout.write(patch.value);
    return EXIT.done;
  }
  if (out !== null && !isDryRun) {
    try {
      await writeFile(resolve(context.cwd, out), patch.value, { flag: 'wx' });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      const detail = `${out} cannot be written (${String(error.code)}).`;
      const hint = 'Name a file that is not there yet, in a folder that is.';
      return refuse(context, cliRefusal('FileUnusable', detail, hint));
    }
  }
  if (context.isJson) context.writeJson({ as: 'patch', out, bytes });
  else context.say(`a patch of ${bytes} bytes${out === null || isDryRun ? '' : `: ${out}`}`);
  return EXIT.done;
}
