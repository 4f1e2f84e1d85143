import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createOsKeyring } from './os-keyring.ts';

const folder = mkdtempSync(join(tmpdir(), 'ccdash-keyring-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Programs as the systems have them, as far as they are used: a machine that tests has no keyring. */
function program(name: string, script: string): void {
  const file = join(folder, name);
  writeFileSync(
    file,
    `#!/bin/sh\nprintf '%s\\n' "$@" > "${folder}/asked"\nenv > "${folder}/env"\n${script}\n`,
  );
  chmodSync(file, 0o755);
}

const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, ANTHROPIC_API_KEY: 'not-for-it' };
const asked = (): readonly string[] =>
  readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n');

describe('a key in the keyring', () => {
  test.for([
    ['linux', 'secret-tool', ['lookup', 'service', 'ccdash', 'key', 'A_KEY']],
    ['darwin', 'security', ['find-generic-password', '-s', 'ccdash', '-a', 'A_KEY', '-w']],
  ] as const)(
    '[AG112] is read on %s by %s, and is on no command line',
    async ([platform, name, words]) => {
      program(name, "printf 'the-key\\n'");
      const keyring = createOsKeyring({ platform, env });
      expect(await keyring.read('A_KEY')).toBe('the-key');
      expect(asked()).toEqual(words);
      expect(readFileSync(join(folder, 'env'), 'utf8')).not.toContain('not-for-it');
    },
  );

  test('[AG112] that is not there is none, and so is one without a keyring', async () => {
    program('secret-tool', 'exit 1');
    program('security', 'echo "could not be found" >&2; exit 44');
    expect(await createOsKeyring({ platform: 'linux', env }).read('A_KEY')).toBeNull();
    expect(await createOsKeyring({ platform: 'darwin', env }).read('A_KEY')).toBeNull();
    const nowhere = { PATH: join(folder, 'nowhere') };
    expect(await createOsKeyring({ platform: 'linux', env: nowhere }).read('A_KEY')).toBeNull();
  });

  test('[AG112] of a keyring that fails is an error that says why', async () => {
    program('secret-tool', 'echo "Cannot autolaunch D-Bus" >&2; exit 1');
    const keyring = createOsKeyring({ platform: 'linux', env });
    await expect(keyring.read('A_KEY')).rejects.toThrow(/keyring .*Cannot autolaunch D-Bus/);
  });
});
