import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const HEALTH_LIMIT_MS = 20_000;

/** The version this adapter was tested with. */
export const TESTED_VERSION = '1.0.14';
export const PACKAGE = '@github/copilot-sdk';
export const INSTALL_COMMAND: string = `npm install ${PACKAGE}@${TESTED_VERSION}`;

export interface CopilotInstall {
  readonly version: string;
  /** Absolute, links followed. */
  readonly program: string;
  /** The program, and what it looks for beside itself. */
  readonly folder: string;
}

/** Finds SDK and program beside this package without loading them. The string says what is missing or does not fit. */
export function findCopilot(): CopilotInstall | string {
  const entry = resolved(import.meta.url, PACKAGE);
  const manifest = entry === null ? null : manifestAbove(entry);
  if (entry === null || manifest === null) return `the package ${PACKAGE} is not installed`;
  const version = versionIn(manifest);
  if (version !== TESTED_VERSION) {
    return `${PACKAGE} ${version ?? ''} is installed, but ${TESTED_VERSION} is the version that was tested`;
  }
  const platform = `${process.platform}-${process.arch}`;
  const found = resolved(entry, `${PACKAGE}-${platform}/package.json`);
  const missing = `the program that belongs to ${PACKAGE} is not installed for ${platform}`;
  if (found === null) return missing;
  if (versionIn(found) !== version) {
    return `${PACKAGE}-${platform} ${versionIn(found) ?? ''} does not belong to ${PACKAGE} ${version}`;
  }
  const name = process.platform === 'win32' ? 'copilot-runtime.exe' : 'copilot-runtime';
  const program = join(dirname(found), 'prebuilds', platform, name);
  if (!existsSync(program)) return missing;
  return { version, program: realpathSync(program), folder: realpathSync(dirname(found)) };
}

/** Why the program does not run here; null when it does. */
export async function whyNotRunning({ program }: CopilotInstall): Promise<string | null> {
  try {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };
    await run(program, ['--version'], { env, timeout: HEALTH_LIMIT_MS });
    return null;
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

function manifestAbove(entry: string): string | null {
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && versionIn(manifest) !== null) return manifest;
  }
  return null;
}

function versionIn(manifest: string): string | null {
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version?: unknown };
  return typeof version === 'string' ? version : null;
}
