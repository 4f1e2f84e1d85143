import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { AdapterProbe } from '@ccdash/core';

const run = promisify(execFile);
/** For a program that only says its version, on a machine that is busy. */
const HEALTH_LIMIT_MS = 20_000;

/** The version this adapter was tested with. */
export const TESTED_SDK_VERSION = '0.3.330';

export const SDK = '@anthropic-ai/claude-agent-sdk';
export const INSTALL_COMMAND: string = `npm install ${SDK}@${TESTED_SDK_VERSION}`;

export interface SdkInstall {
  readonly sdkVersion: string;
  /** Of the program that the SDK drives. */
  readonly programVersion: string;
  /** Absolute, links followed. */
  readonly program: string;
}

/** Finds the SDK beside this package without loading it. The string says what is missing or does not fit. */
export function findSdk(): SdkInstall | string {
  const entry = resolved(import.meta.url, SDK);
  if (entry === null) return `the package ${SDK} is not installed`;
  const manifest = readManifest(join(dirname(entry), 'package.json'));
  const sdkVersion = textOf(manifest, 'version');
  const programVersion = textOf(manifest, 'claudeCodeVersion');
  if (sdkVersion === null || programVersion === null) return `${SDK} at ${entry} is damaged`;
  if (!isTested(sdkVersion)) {
    return `${SDK} ${sdkVersion} is installed, but ${TESTED_SDK_VERSION} is the version that was tested`;
  }
  const platform = `${process.platform}-${process.arch}`;
  for (const name of [`${SDK}-${platform}`, `${SDK}-${platform}-musl`]) {
    const found = resolved(entry, `${name}/package.json`);
    if (found === null) continue;
    const { version } = { version: textOf(readManifest(found), 'version') };
    if (version !== sdkVersion)
      return `${name} ${version ?? ''} does not belong to ${SDK} ${sdkVersion}`;
    const program = join(dirname(found), process.platform === 'win32' ? 'claude.exe' : 'claude');
    if (existsSync(program)) return { sdkVersion, programVersion, program: realpathSync(program) };
  }
  return `the program that belongs to ${SDK} is not installed for ${platform}`;
}

export function probeOf(install: SdkInstall | string, adapterVersion: string): AdapterProbe {
  if (typeof install === 'string') {
    return {
      available: false,
      adapterVersion,
      sdkVersion: null,
      programVersion: null,
      problem: install,
      install: INSTALL_COMMAND,
    };
  }
  const { sdkVersion, programVersion } = install;
  return {
    available: true,
    adapterVersion,
    sdkVersion,
    programVersion,
    problem: null,
    install: null,
  };
}

/** Why the program does not run here, or is another one than it should be; null when all is well. */
export async function whyNotRunning(install: SdkInstall): Promise<string | null> {
  const { program, programVersion } = install;
  try {
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent' };
    const { stdout } = await run(program, ['--version'], { env, timeout: HEALTH_LIMIT_MS });
    const found = stdout.trim().split(' ')[0] ?? '';
    if (found === programVersion) return null;
    return `${program} says it is ${found || 'nothing'}, not ${programVersion}: install it again`;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${program} does not run: ${why}`;
  }
}

/** The tested version, or a later patch of it: before 1.0 the second number counts like a major one. */
function isTested(version: string): boolean {
  const [major, minor, patch] = numbersOf(version);
  const [testedMajor, testedMinor, testedPatch] = numbersOf(TESTED_SDK_VERSION);
  return major === testedMajor && minor === testedMinor && patch >= testedPatch;
}

/** Whether `installed` may go on with what `recorded` began: the same major version, and not an older one. */
export function isSameOrNewer(installed: string, recorded: string): boolean {
  const [major, minor, patch] = numbersOf(installed);
  const [oldMajor, oldMinor, oldPatch] = numbersOf(recorded);
  if (major !== oldMajor) return false;
  return minor === oldMinor ? patch >= oldPatch : minor > oldMinor;
}

/** NaN, which compares as false, where the text is no version. */
function numbersOf(version: string): readonly [number, number, number] {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)/.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch)];
}

function resolved(from: string, name: string): string | null {
  try {
    return createRequire(from).resolve(name);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

function readManifest(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function textOf(manifest: unknown, field: string): string | null {
  if (typeof manifest !== 'object' || manifest === null) return null;
  const value = (manifest as Readonly<Record<string, unknown>>)[field];
  return typeof value === 'string' ? value : null;
}
