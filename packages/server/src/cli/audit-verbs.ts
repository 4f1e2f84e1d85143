/** The log: looked at, verified, taken away. */
import { createReadStream, createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadLog } from '../app.ts';
import { connect } from './connect.ts';
import type { StoredEvent } from '@ccdash/api/client';
import type { Context } from './context.ts';
import { findProject } from './project.ts';
import { EXIT, cliRefusal, problemToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

const PAGE = 500;

/** Entries from position `from` on, at most `limit`; one JSON object a line with `--json`. */
export async function showAudit(
  context: Context,
  options: { readonly from: number; readonly limit: number },
): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  let next: number | null = options.from;
  let left = options.limit;
  while (next !== null && left > 0) {
    const page = await connection.value.client.auditEvents(next, Math.min(PAGE, left));
    if (!page.ok) return refuse(context, problemToRefusal(page.error));
    for (const event of page.value.events) {
      if (context.isJson) context.writeJson(event);
      else {
        const { position, at, type, actor, runId } = event;
        const { step = '' } = event.data as unknown as { readonly step?: string };
        const where = `${runId ?? ''} ${step}`.trim();
        context.say(
          { text: `${String(position).padStart(6)}  ${at}  `, style: 'quiet' },
          type.padEnd(20),
          `  ${where}`,
          { text: `  ${actor.kind} ${actor.id}`, style: 'quiet' },
        );
      }
    }
    left -= page.value.events.length;
    next = page.value.next;
  }
  return EXIT.done;
}

/** The project's log as the server has it. Exit code 1 with the first bad entry. */
export async function verifyAudit(context: Context): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) {
    return withLogAsItIs(context, connection.error, async (log) => {
      const { size, root, problem } = await log.verify();
      return tellReport(context, { ok: problem === null, size, bypasses: null, root, problem });
    });
  }
  const report = await connection.value.client.auditVerify();
  if (!report.ok) return refuse(context, problemToRefusal(report.error));
  return tellReport(context, report.value);
}

/** An exported log, with no server and no database. */
export async function verifyAuditFile(
  context: Context,
  file: string,
  publicKey: string | null,
): Promise<number> {
  const lines: string[] = [];
  try {
    const input = createReadStream(resolve(context.cwd, file), 'utf8');
    for await (const line of createInterface({ input, crlfDelay: Infinity })) lines.push(line);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${file} cannot be read (${String(error.code)}).`;
    return refuse(context, cliRefusal('FileUnusable', detail, 'Name an export of the log.'));
  }
  const { formatFinding, replayLog, verifyLog } = await import('../app.ts');
  const verified = await verifyLog(lines, { publicKey });
  if (verified.ok) {
    const { bypasses, problem } = replayLog(eventsOf(lines));
    return tellReport(context, { ...verified.value, ok: problem === null, bypasses, problem });
  }
  const { finding } = verified.error;
  const problem = { position: finding.position, detail: formatFinding(finding) };
  return tellReport(context, { ok: false, size: 0, bypasses: null, root: '', problem });
}

/** Of an export that has been verified. */
function* eventsOf(lines: readonly string[]): Generator<StoredEvent, void> {
  for (const line of lines) {
    if (line === '') continue;
    const { type, body } = JSON.parse(line) as { readonly type: string; readonly body: string };
    if (type === 'event') yield JSON.parse(body) as StoredEvent;
  }
}

interface Report {
  readonly ok: boolean;
  readonly size: number;
  readonly bypasses: number | null;
  readonly root: string;
  readonly problem: { readonly position: number | null; readonly detail: string } | null;
}

function tellReport(context: Context, report: Report): number {
  const { size, bypasses, root, problem } = report;
  if (context.isJson) {
    context.writeJson(report);
    return problem === null ? EXIT.done : EXIT.failed;
  }
  if (problem !== null) {
    context.say({ text: 'not valid', style: 'bad' }, `  ${problem.detail}`);
    if (bypasses !== null) context.say(`  bypasses: ${String(bypasses)}`);
    return EXIT.failed;
  }
  const entries = size === 1 ? '1 entry' : `${size} entries`;
  context.say({ text: 'valid', style: 'good' }, `  ${entries}, root ${root}`);
  if (bypasses !== null) context.say(`  bypasses: ${String(bypasses)}`);
  return EXIT.done;
}

/** Lines for the offline verifier, to stdout or to a file that does not exist yet. */
export async function exportAudit(context: Context, out: string | null): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) {
    return withLogAsItIs(context, connection.error, (log) =>
      writeExport(context, out, Readable.from(withLineFeeds(log.lines()))),
    );
  }
  const exported = await connection.value.client.auditExport();
  if (!exported.ok) return refuse(context, problemToRefusal(exported.error));
  type Source = Parameters<typeof Readable.fromWeb>[0];
  return writeExport(context, out, Readable.fromWeb(exported.value as Source));
}

/** Without a server, as when it refuses the log: the file itself is read, and left as it is. */
async function withLogAsItIs(
  context: Context,
  refusal: CliRefusal,
  work: (log: ReadLog) => Promise<number>,
): Promise<number> {
  const project = findProject(context);
  if (!project.ok || refusal.type !== 'ServerNotStarted') return refuse(context, refusal);
  const { openLogToRead } = await import('../app.ts');
  const log = openLogToRead(project.value.stateDir);
  if (!log.ok) return refuse(context, refusal);
  context.warn('No server can open the log, so its file was read as it is.');
  try {
    return await work(log.value);
  } finally {
    log.value.close();
  }
}

function* withLineFeeds(lines: Iterable<string>): Iterable<string> {
  for (const line of lines) yield `${line}\n`;
}

async function writeExport(
  context: Context,
  out: string | null,
  source: Readable,
): Promise<number> {
  const target =
    out === null
      ? toStdout(context)
      : createWriteStream(resolve(context.cwd, out), { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(source, target);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `The log was not written to ${out ?? 'stdout'} (${String(error.code)}).`;
    const hint = 'Name a file that does not exist yet, in a folder you may write to.';
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  if (out !== null) context.say(`Wrote ${out}. Verify it anywhere: ccdash audit verify ${out}`);
  return EXIT.done;
}

function toStdout(context: Context): Writable {
  return new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      context.writeRaw(chunk);
      done();
    },
  });
}
