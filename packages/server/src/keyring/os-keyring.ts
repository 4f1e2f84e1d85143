/**
 * The keyring of the operating system, by the program that comes with it: `secret-tool` (Secret Service) or `security`
 * (macOS). A key comes on the program's output, never on a command line, and is kept nowhere here.
 */
import { execFile } from 'node:child_process';

export interface Keyring {
  /** Null when there is no such key, or no keyring. Rejects when the keyring is there and does not answer. */
  read(name: string): Promise<string | null>;
}

export interface KeyringOptions {
  readonly platform: NodeJS.Platform;
  /** What the programs get: where they are, and how they reach the keyring. */
  readonly env: NodeJS.ProcessEnv;
}

const SERVICE = 'ccdash';
/** A keyring that is locked asks its owner; an agent does not wait for that for ever. */
const LIMIT_MS = 20_000;
const LONGEST_KEY = 64 * 1024;

/** What reaches a session's keyring, beside the way to programs. */
const VARIABLES = [
  'PATH',
  'HOME',
  'USER',
  'DBUS_SESSION_BUS_ADDRESS',
  'XDG_RUNTIME_DIR',
  'DISPLAY',
  'WAYLAND_DISPLAY',
];

export function createOsKeyring({ platform, env }: KeyringOptions): Keyring {
  const isMac = platform === 'darwin';
  const [program, argumentsOf] = isMac
    ? ([
        'security',
        (name: string) => ['find-generic-password', '-s', SERVICE, '-a', name, '-w'],
      ] as const)
    : (['secret-tool', (name: string) => ['lookup', 'service', SERVICE, 'key', name]] as const);
  const given = Object.fromEntries(
    VARIABLES.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])),
  );
  return {
    read: (name) =>
      new Promise((resolve, reject) => {
        const options = { env: given, timeout: LIMIT_MS, maxBuffer: LONGEST_KEY } as const;
        execFile(program, argumentsOf(name), options, (error, stdout, stderr) => {
          const key = stdout.replace(/\r?\n$/, '');
          if (error === null) resolve(key === '' ? null : key);
          else if (error.code === 'ENOENT' || isUnknown(error.code, stderr, isMac)) resolve(null);
          else {
            const why = error.killed === true ? `no answer in ${LIMIT_MS / 1000} s` : stderr.trim();
            reject(new Error(`the keyring (${program}): ${why === '' ? 'it failed' : why}`));
          }
        });
      }),
  };
}

/** How the programs say that they have no such key: one by its status, one by saying nothing. */
function isUnknown(code: unknown, stderr: string, isMac: boolean): boolean {
  return isMac ? code === 44 : code === 1 && stderr.trim() === '';
}
