/** Codex numbers its threads itself; which one belongs to a session of ours is kept beside them. */
import { existsSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SESSION = /^[\w-]{1,128}$/;

export function writeThread(stateDir: string, session: string, thread: string): void {
  const path = pathOf(stateDir, session);
  if (path === null) throw new Error(`${session} is no name of a session`);
  writeFileSync(`${path}.new`, thread, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Null when there is none, or what it said is gone. */
export function readThread(stateDir: string, session: string): string | null {
  const path = pathOf(stateDir, session);
  if (path === null || !existsSync(path)) return null;
  // The agent can write here: what it could name are threads of its own.
  const thread = readFileSync(path, 'utf8').trim();
  if (!SESSION.test(thread)) return null;
  return rolloutOf(stateDir, thread) === null ? null : thread;
}

/** The program's own record of a thread. */
export function rolloutOf(stateDir: string, thread: string): string | null {
  const sessions = join(stateDir, 'sessions');
  if (!existsSync(sessions)) return null;
  const files = readdirSync(sessions, { recursive: true, encoding: 'utf8' });
  const found = files.find((file) => file.endsWith(`-${thread}.jsonl`));
  return found === undefined ? null : join(sessions, found);
}

function pathOf(stateDir: string, session: string): string | null {
  return SESSION.test(session) ? join(stateDir, `ccdash-thread-${session}`) : null;
}
