/** How an agent that the project's settings name is started: its variables and options, filled in for one attempt. */
import { accessSync, constants, existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { AgentLaunch, Json } from '@ccdash/core';

/** What stands for what in settings, as `{{ name }}`. */
export interface LaunchValues {
  readonly gateway: string;
  readonly token: string;
  /** Null where the step names none. */
  readonly model: string | null;
  readonly state: string;
  readonly workspace: string;
}

const PLACEHOLDER = /\{\{ *(gateway|token|model|state|workspace) *\}\}/g;

/** Whether its model calls can go by the gateway: what does not know where it is has a key of its own, or none. */
export function usesGateway({ env, session }: AgentLaunch): boolean {
  return names({ env, session }, 'gateway');
}

/** Whether settings hand on the model that a step names. */
export function takesModel({ env, session }: AgentLaunch): boolean {
  return names({ env, session }, 'model');
}

/** A name without a value is left out of lists of settings beforehand; here it becomes nothing. */
export function filled<T extends Json>(value: T, values: LaunchValues): T {
  return fill(value, values) as T;
}

function fill(value: Json, values: LaunchValues): Json {
  if (typeof value === 'string') {
    return value.replaceAll(PLACEHOLDER, (_, name: keyof LaunchValues) => values[name] ?? '');
  }
  if (Array.isArray(value)) return (value as readonly Json[]).map((each) => fill(each, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value as Readonly<Record<string, Json>>).map(([name, each]) => [
      name,
      fill(each, values),
    ]),
  );
}

function names(value: object, name: string): boolean {
  const text = JSON.stringify(value);
  return [...text.matchAll(PLACEHOLDER)].some(([, found]) => found === name);
}

/** Why the agent cannot be started here; null when it can, as far as that is seen without starting it. */
export function launchProblem({ command, read }: AgentLaunch): string | null {
  const [program = ''] = command;
  if (programPath(program) === null) {
    return `its program ${program} is not ${isAbsolute(program) ? 'there, or cannot be run' : 'on the PATH of the server'}`;
  }
  const gone = read.find((path) => !existsSync(path));
  return gone === undefined ? null : `${gone}, which it reads, is not there`;
}

/** What its sandbox must show it: what the settings say, and its program where that is given by a path. */
export function launchPaths({ command, read }: AgentLaunch): readonly string[] {
  const [program = ''] = command;
  const path = isAbsolute(program) ? programPath(program) : null;
  const paths = [...(path === null ? [] : [program, path]), ...read];
  return [...new Set(paths)].filter((each) => existsSync(each));
}

/**
 * The version of the program, from the package that it is in: of what it runs, too, where that is a file given by its
 * path. Null where neither is in a package: what the agent says of itself is only known once it runs.
 */
export function launchVersion({ command }: AgentLaunch): string | null {
  const [program = '', ...rest] = command;
  const files = [...rest.filter((each) => isAbsolute(each) && isFile(each)), programPath(program)];
  for (const file of files) {
    const version = file === null ? null : packageVersion(realpathSync(file));
    if (version !== null) return version;
  }
  return null;
}

function programPath(program: string): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const places = isAbsolute(program) ? [program] : folders.map((folder) => join(folder, program));
  const found = places.find((place) => isFile(place) && isRunnable(place));
  return found === undefined ? null : realpathSync(found);
}

function packageVersion(file: string): string | null {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { version } = readManifest(manifest);
    if (typeof version === 'string') return version;
  }
  return null;
}

function readManifest(path: string): { readonly version?: unknown } {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
