/** The library that speaks the protocol: an optional package. The agents themselves are the project's own choice. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const PACKAGE = '@agentclientprotocol/sdk';
/** Minor versions of it add kinds of messages, which are passed over. */
export const TESTED_VERSION = '2.4.0';
export const INSTALL_COMMAND: string = `npm install ${PACKAGE}@${TESTED_VERSION}`;

export interface AcpInstall {
  /** Null when it is not installed. */
  readonly version: string | null;
  /** Why it cannot be used; null when it can. */
  readonly problem: string | null;
}

/** Finds it beside this package without loading it. */
export function findAcp(): AcpInstall {
  const version = versionOf(resolved());
  if (version === null) {
    return { version, problem: `the package ${PACKAGE} is not installed` };
  }
  const [major, minor = 0] = version.split('.').map(Number);
  const [testedMajor, testedMinor = 0] = TESTED_VERSION.split('.').map(Number);
  if (major === testedMajor && minor >= testedMinor) return { version, problem: null };
  const problem = `${PACKAGE} ${version} is installed, but ${TESTED_VERSION} is the version that was tested`;
  return { version, problem };
}

function resolved(): string | null {
  try {
    return createRequire(import.meta.url).resolve(PACKAGE);
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null;
    throw error;
  }
}

/** Its entry is a few folders below its manifest. */
function versionOf(entry: string | null): string | null {
  if (entry === null) return null;
  for (let folder = dirname(entry); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (!existsSync(manifest)) continue;
    const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>;
    if (name === PACKAGE) return typeof version === 'string' ? version : null;
  }
  return null;
}
