/** Signatures of SSH keys, checked by OpenSSH itself: it knows every kind of key, also those on security keys. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import { SSH_NAMESPACE } from '../base/people.ts';

const PUBLIC_KEY = /^((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]{1,60}) ([A-Za-z0-9+/=]{32,16000})(?: .*)?$/;
const WEAK: readonly string[] = ['ssh-dss'];

/** `type base64` of a line as in `id_ed25519.pub`; null when it is none, or of a kind that nobody should use. */
export function readPublicKey(line: string): string | null {
  const [, type = '', blob = ''] = PUBLIC_KEY.exec(line.trim()) ?? [];
  return type === '' || WEAK.includes(type) ? null : `${type} ${blob}`;
}

/** Whether `signature` is one of `publicKeys` over `text`; the error says why it cannot be told. */
export async function isSignedBy(
  publicKeys: readonly string[],
  text: string,
  signature: string,
): Promise<Result<boolean, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'ccdash-ssh-'));
  try {
    const signers = join(folder, 'signers');
    const signed = join(folder, 'signature');
    const lines = publicKeys.map((key) => `person namespaces="${SSH_NAMESPACE}" ${key}\n`);
    await writeFile(signers, lines.join(''), { mode: 0o600 });
    await writeFile(signed, signature, { mode: 0o600 });
    const args = ['-Y', 'verify', '-f', signers, '-I', 'person', '-n', SSH_NAMESPACE, '-s', signed];
    return await run(args, text);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(args: readonly string[], input: string): Promise<Result<boolean, string>> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' };
    const stdio = ['pipe', 'ignore', 'ignore'] as const;
    const child = spawn('ssh-keygen', args, { env, stdio: [...stdio], timeout: 10_000 });
    child.on('error', (error) => {
      resolve(err(`ssh-keygen cannot be run here (${error.message})`));
    });
    child.on('close', (code) => {
      resolve(ok(code === 0));
    });
    // A program that has refused reads no further.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}
