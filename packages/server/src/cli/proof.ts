/** That a person is at this terminal: a one-time code, or a signature of their SSH key over what they decide. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { err, ok } from '@ccdash/api/client';
import type { ProofRequest, Result } from '@ccdash/api/client';
import { SSH_NAMESPACE, statementText } from '../base/people.ts';
import type { Statement } from '../base/people.ts';
import type { Context } from './context.ts';
import { cliRefusal } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

export interface ProofOptions {
  readonly code?: string;
  /** A private key, or a public one whose private key an agent or a security key holds. */
  readonly sshKey?: string;
}

/** null: none was asked for. */
export async function proofFrom(
  context: Context,
  statement: Statement,
  { code, sshKey }: ProofOptions,
): Promise<Result<ProofRequest | null, CliRefusal>> {
  if (code !== undefined) return ok({ kind: 'totp', code });
  if (sshKey === undefined) return ok(null);
  const folder = mkdtempSync(join(tmpdir(), 'ccdash-sign-'));
  try {
    const file = join(folder, 'decision');
    writeFileSync(file, statementText(statement), { mode: 0o600 });
    const key = resolve(context.cwd, sshKey);
    const failure = await sign(['-Y', 'sign', '-n', SSH_NAMESPACE, '-f', key, file]);
    if (failure === null)
      return ok({ kind: 'ssh', signature: readFileSync(`${file}.sig`, 'utf8') });
    const detail = `ssh-keygen did not sign with ${key}: ${failure}`;
    return err(cliRefusal('FileUnusable', detail, 'Name your key: --ssh-key ~/.ssh/id_ed25519'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** It may ask for a passphrase at the terminal. null when it has signed. */
function sign(args: readonly string[]): Promise<string | null> {
  return new Promise((done) => {
    execFile('ssh-keygen', args, (error, _stdout, stderr) => {
      done(error === null ? null : stderr.trim() || error.message);
    });
  });
}
