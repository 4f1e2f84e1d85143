/**
 * The server of a project, found or started.
 *
 * 1. Whoever holds the lock of the state folder is the server; `server.json` only says where it listens.
 * 2. Callers that find none each start one; all but the holder of the lock end again, and every caller waits for the one
 *    that lives.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { createClient, err, ok } from '@ccdash/api/client';
import type { Client, Result } from '@ccdash/api/client';
import { isErrno } from '../base/process-identity.ts';
import type { Context } from './context.ts';
import { loginTo } from './logins.ts';
import { findProject, makeStateDir } from './project.ts';
import type { Project } from './project.ts';
import { EXIT, cliRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';
import { readServerFile, readToken } from './server-file.ts';
import { boundServerLog, serverLogPath } from './server-log.ts';

export interface Connection {
  readonly client: Client;
  readonly project: Project;
  readonly url: string;
}

const START_PATIENCE_MS = 30_000;
const POLL_MS = 50;
/** How long after the loss of a race another start is tried: the winner may have been one that was ending. */
const RACE_PAUSE_MS = 500;
const LOG_LINES = 12;

/** A client of the project's server, which is started in the background when none lives. */
export async function connect(context: Context): Promise<Result<Connection, CliRefusal>> {
  const project = findProject(context);
  if (!project.ok) return project;
  const named = context.env['CCDASH_SERVER'] ?? '';
  if (named !== '') return connectTo(context, project.value, named);
  const made = makeStateDir(project.value.stateDir);
  if (!made.ok) return made;
  const found = await findServer(project.value);
  return found === null ? startServer(context, project.value) : ok(found);
}

/** A server that somebody else runs, with the token that this terminal has got from it. */
function connectTo(
  context: Context,
  project: Project,
  url: string,
): Result<Connection, CliRefusal> {
  const token = context.env['CCDASH_TOKEN'] ?? loginTo(context, url)?.token;
  if (token !== undefined)
    return ok({ client: createClient({ baseUrl: url, token }), project, url });
  const detail = `This terminal has not logged in to ${url}.`;
  const hint =
    'Ask an admin for a code (ccdash users login NAME), then: ccdash login CODE --server URL';
  return err(cliRefusal('NotLoggedIn', detail, hint));
}

/** null when no server lives and answers. */
export async function findServer(project: Project): Promise<Connection | null> {
  const file = readServerFile(project.stateDir);
  const token = file === null ? null : readToken(project.stateDir);
  if (file === null || token === null) return null;
  const client = createClient({ baseUrl: file.url, token });
  return (await client.isAlive()) ? { client, project, url: file.url } : null;
}

async function startServer(
  context: Context,
  project: Project,
): Promise<Result<Connection, CliRefusal>> {
  const logPath = serverLogPath(project.stateDir);
  const logged = openLog(logPath);
  if (!logged.ok) return logged;
  const logStart = fstatSync(logged.value).size;
  try {
    const deadline = performance.now() + START_PATIENCE_MS;
    let child = spawnServer(context, project, logged.value);
    while (performance.now() < deadline) {
      await wait(POLL_MS);
      const found = await findServer(project);
      if (found !== null) return ok(found);
      if (child.exitCode === null && child.signalCode === null) continue;
      if (child.exitCode !== EXIT.conflict) return err(notStarted(child, logPath, logStart));
      await wait(RACE_PAUSE_MS);
      const other = await findServer(project);
      if (other !== null) return ok(other);
      child = spawnServer(context, project, logged.value);
    }
    return err(notStarted(child, logPath, logStart));
  } finally {
    closeSync(logged.value);
  }
}

function openLog(logPath: string): Result<number, CliRefusal> {
  try {
    boundServerLog(logPath);
    return ok(openSync(logPath, 'a', 0o600));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${logPath} cannot be written (${String(error.code)}).`;
    const hint = 'Make the folder writable, or set CCDASH_HOME to another one.';
    return err(cliRefusal('StateUnusable', detail, hint));
  }
}

/** A server lives for days beside other work: memory matters more to it than the last bit of speed. */
const SMALL_YOUNG_SPACE = '--max-semi-space-size=4';
/** For glibc, which would keep what many threads once used: a third of an idle server. Others do not know the names. */
const SMALL_ARENAS = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '65536' } as const;

/** The same program, with what Node was told, in a session of its own. */
function spawnServer(context: Context, project: Project, log: number): ChildProcess {
  const [, program = ''] = process.argv;
  const node = [...process.execArgv, SMALL_YOUNG_SPACE, program];
  const args = [...node, 'serve', '--background', '--json', '--project', project.dir];
  const child = spawn(process.execPath, args, {
    cwd: project.dir,
    env: { ...SMALL_ARENAS, ...context.env },
    detached: true,
    stdio: ['ignore', log, log],
  });
  child.unref();
  return child;
}

function notStarted(child: ChildProcess, logPath: string, logStart: number): CliRefusal {
  const how =
    child.exitCode === null && child.signalCode === null
      ? `It did not answer within ${START_PATIENCE_MS / 1000} s.`
      : `It ended with ${child.signalCode ?? child.exitCode ?? 'nothing'}.`;
  const written = readFrom(logPath, logStart);
  const refusal = refusalIn(written);
  if (refusal !== null) return refusal;
  const lines = written.slice(-LOG_LINES);
  const said = lines.length === 0 ? '' : ` It said last:\n${lines.join('\n')}`;
  const hint = `Start it by hand to see more: ccdash serve. Its log: ${logPath}`;
  return cliRefusal('ServerNotStarted', `${how}${said}`, hint);
}

/** What a server that refuses to start says last, being asked for JSON. */
function refusalIn(lines: readonly string[]): CliRefusal | null {
  for (const line of lines.toReversed()) {
    try {
      const said = JSON.parse(line) as { readonly error?: Partial<CliRefusal> } | null;
      const { type, title, detail, hint } = said?.error ?? {};
      const isWhole = [type, title, detail].every((part) => typeof part === 'string');
      if (isWhole) return { type, title, detail, hint: hint ?? null } as CliRefusal;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return null;
}

/** Lines from the byte `start` on: what was there before is not about this start. */
function readFrom(path: string, start: number): readonly string[] {
  try {
    const text = readFileSync(path).subarray(start).toString('utf8').trimEnd();
    return text === '' ? [] : text.split('\n');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
