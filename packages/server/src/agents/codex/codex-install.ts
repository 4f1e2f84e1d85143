import { execFile } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** For a program that only says its version, on a machine that is busy. */
const HEALTH_LIMIT_MS = 20_000;

/** The version this adapter was tested with. The protocol of its `app-server` may change with each. */
export const TESTED_VERSION = '0.163.0';

export const PACKAGE = '@openai/codex';
export const INSTALL_COMMAND: string = `npm install ${PACKAGE}@${TESTED_VERSION}`;

export interface CodexInstall {
  readonly version: string;
  /** Absolute, links followed. */
  readonly program: string;
  /** The program, and the helpers that it looks for beside itself. */
  readonly folder: string;
}

/** Finds the program beside this package. The string says what is missing or does not fit. */
export function findCodex(): CodexInstall | string {
  const manifest = resolved(import.meta.url, `${PACKAGE}/package.json`);
  if (manifest === null) return `the package ${PACKAGE} is not installed`;
  const version = versionIn(manifest);
  if (version !== TESTED_VERSION) {
    return `${PACKAGE} ${version ?? ''} is installed, but ${TESTED_VERSION} is the version that was tested`;
  }
  const platform = `${process.platform}-${process.arch}`;
  const found = resolved(manifest, `${PACKAGE}-${platform}/package.json`);
  const missing = `the program that belongs to ${PACKAGE} is not installed for ${platform}`;
  if (found === null) return missing;
  if (versionIn(found) !== `${version}-${platform}`) {
    return `${PACKAGE}-${platform} ${versionIn(found) ?? ''} does not belong to ${PACKAGE} ${version}`;
  }
  const vendor = join(dirname(found), 'vendor');
  const [target] = existsSync(vendor) ? readdirSync(vendor) : [];
  const folder = join(vendor, target ?? '');
  const name = process.platform === 'win32' ? 'codex.exe' : 'codex';
  const program = join(folder, 'bin', name);
  if (!existsSync(program)) return missing;
  return { version, program: realpathSync(program), folder: realpathSync(folder) };
}

/** Why the program does not run here, or is another one than it should be; null when all is well. */
export async function whyNotRunning({ program, version }: CodexInstall): Promise<string | null> {
  try {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };
    const { stdout } = await run(program, ['--version'], { env, timeout: HEALTH_LIMIT_MS });
    return stdout.includes(version)
      ? null
      : `${program} says that it is ${stdout.trim()}, not ${version}`;
  } catch (error) {
    return `${program} does not run: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function resolved(from: string, name: string): string | null {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

function versionIn(manifest: string): string | null {
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version?: unknown };
  return typeof version === 'string' ? version : null;
}
