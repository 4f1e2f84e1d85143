/** What runs have kept: listed with where it comes from, and taken away by its digest. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { connect } from './connect.ts';
import type { Context } from './context.ts';
import { artifactsOf } from './mcp-tools.ts';
import { toPlainLine } from './plain-text.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import { connectToRun } from './run-verbs.ts';

export async function listArtifacts(context: Context, id: string): Promise<number> {
  const found = await connectToRun(context, id);
  if (!found.ok) return refuse(context, found.error);
  const artifacts = artifactsOf(found.value.run);
  if (context.isJson) {
    context.writeJson(artifacts);
    return EXIT.done;
  }
  for (const { name, sha256, bytes, mediaType, step, attempt, commit, usedBy } of artifacts) {
    context.say({ text: toPlainLine(name, 200), style: 'bold' }, `  ${bytes} bytes, ${mediaType}`);
    context.say(`  ${sha256}`);
    const at = commit === null ? '' : `, commit ${commit.slice(0, 12)}`;
    const by = attempt === null ? step : `${step}, attempt ${attempt}${at}`;
    const users = usedBy.length === 0 ? '' : `; needed by ${usedBy.join(', ')}`;
    context.say({ text: `  made by ${by}${users}`, style: 'quiet' });
  }
  if (artifacts.length === 0) context.say('The run has kept no artifacts.');
  else context.say('Take one away: ccdash artifact get SHA --out FILE');
  return EXIT.done;
}

/** Writes nothing that is not what its digest says. */
export async function getArtifact(
  context: Context,
  sha256: string,
  out: string | null,
): Promise<number> {
  if (!/^[0-9a-f]{64}$/.test(sha256)) {
    const hint = 'List them with their digests: ccdash artifacts RUN';
    return refuse(context, cliRefusal('UsageError', 'That is no SHA-256 in hex.', hint));
  }
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const bytes = await connection.value.client.artifact(sha256);
  if (!bytes.ok) return refuse(context, problemToRefusal(bytes.error));
  if (createHash('sha256').update(bytes.value).digest('hex') !== sha256) {
    const detail = `What is kept as ${sha256} is not what it was when it was kept.`;
    const hint = 'Restore it from a backup, or run the step again.';
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  if (out === null) {
    await context.write(bytes.value);
    return EXIT.done;
  }
  const file = resolve(context.cwd, out);
  try {
    writeFileSync(file, bytes.value, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${out} was not written (${String(error.code)}).`;
    const hint = 'Name a file that does not exist yet, in a folder you may write to.';
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  if (context.isJson) context.writeJson({ file, sha256, bytes: bytes.value.length });
  else context.say(`Wrote ${out}: ${bytes.value.length} bytes.`);
  return EXIT.done;
}
