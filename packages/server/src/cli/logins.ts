/** Tokens of this terminal for servers that it has logged in to: `logins.json`, for its owner alone. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { isErrno } from '../base/process-identity.ts';
import type { Context } from './context.ts';

export interface Login {
  readonly server: string;
  readonly person: string;
  readonly token: string;
}

/** Gives the file that it is in. */
export function saveLogin(context: Context, login: Login): string {
  const path = loginsPath(context);
  const others = readLogins(path).filter(({ server }) => server !== login.server);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const next = `${path}.${String(process.pid)}`;
  writeFileSync(next, `${JSON.stringify([...others, login])}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(next, path);
  return path;
}

export function loginTo(context: Context, server: string): Login | null {
  return readLogins(loginsPath(context)).find((login) => login.server === server) ?? null;
}

function loginsPath({ env }: Context): string {
  const { XDG_CONFIG_HOME: config = '' } = env;
  return join(isAbsolute(config) ? config : join(homedir(), '.config'), 'ccdash', 'logins.json');
}

function readLogins(path: string): readonly Login[] {
  try {
    const logins = JSON.parse(readFileSync(path, 'utf8')) as unknown;
    return Array.isArray(logins) ? (logins as Login[]) : [];
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return [];
    throw error;
  }
}
