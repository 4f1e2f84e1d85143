/** `<state>/server.json`: where the project's server listens, for as long as its process lives. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isAlive, isErrno } from '../base/process-identity.ts';
import type { ProcessIdentity } from '../base/process-identity.ts';

export interface ServerFile {
  readonly process: ProcessIdentity;
  readonly url: string;
  /** Whether another verb started it: then verbs may end it and start it again. */
  readonly isBackground: boolean;
}

/** Says that this process serves at `url`. */
export function writeServerFile(stateDir: string, url: string, isBackground: boolean): void {
  const identity = identityOf(process.pid);
  const temporary = join(stateDir, `server.json.${process.pid}`);
  const text = `${JSON.stringify({ process: identity, url, isBackground })}\n`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, join(stateDir, 'server.json'));
}

/** Takes back what this process wrote; another server's file stays. */
export function removeServerFile(stateDir: string): void {
  if (readServerFile(stateDir)?.process.pid === process.pid) {
    rmSync(join(stateDir, 'server.json'), { force: true });
  }
}

/** The server that lives; null when none does, or none said so. */
export function readServerFile(stateDir: string): ServerFile | null {
  const text = readText(join(stateDir, 'server.json'));
  const file = text === null ? null : parse(text);
  return file !== null && isAlive(file.process) ? file : null;
}

/** The token of the state folder; null when there is none. */
export function readToken(stateDir: string): string | null {
  return readText(join(stateDir, 'token'))?.trim() ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** null for anything that is not what this version writes: a server of another one is not talked to. */
function parse(text: string): ServerFile | null {
  try {
    const value = JSON.parse(text) as Partial<ServerFile> | null;
    const { pid, startedTicks, bootId } = value?.process ?? {};
    const isWhole =
      typeof value?.url === 'string' &&
      /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/.test(value.url) &&
      typeof pid === 'number' &&
      typeof startedTicks === 'string' &&
      typeof bootId === 'string';
    // An older version did not say: then it is left to whoever started it.
    return isWhole ? { ...(value as ServerFile), isBackground: value.isBackground === true } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
