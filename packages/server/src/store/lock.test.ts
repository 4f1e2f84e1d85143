import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { errorOf, testFolder, valueOf } from '../../test/log-fixture.ts';
import { HOLDER_FILE, LOCK_FILE, acquireStateLock } from './lock.ts';

const CHILD = join(import.meta.dirname, '../../test/children/hold-lock.ts');

/** A process that holds the lock of `dir`. */
async function startHolder(dir: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--conditions=source', CHILD, dir], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(line.toString()).toBe('HELD\n');
  return child;
}

describe('the lock of a state folder', () => {
  test('[LG16] is held by one process, which the refusal names, until SIGKILL ends it', async () => {
    const dir = testFolder();
    const holder = await startHolder(dir);
    expect(errorOf(acquireStateLock(dir))).toEqual({
      type: 'StateLocked',
      dir,
      pid: holder.pid,
      hint: `Use the other engine, process ${holder.pid}, or end it first.`,
    });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const lock = valueOf(acquireStateLock(dir));
    expect(readFileSync(join(dir, HOLDER_FILE), 'utf8')).toBe(`${process.pid}\n`);
    lock.release();
  });

  test('[LG16] is free again once it is released', async () => {
    const dir = testFolder();
    const lock = valueOf(acquireStateLock(dir));
    expect(errorOf(acquireStateLock(dir)).type).toBe('StateLocked');
    expect(statSync(join(dir, LOCK_FILE)).mode & 0o777).toBe(0o600);
    lock.release();
    lock.release();
    expect(existsSync(join(dir, HOLDER_FILE))).toBe(false);
    const holder = await startHolder(dir);
    holder.stdin?.end();
    await once(holder, 'exit');
    valueOf(acquireStateLock(dir)).release();
  });

  test('[LG16] does not know its holder before that has said who it is', () => {
    const dir = testFolder();
    const lock = valueOf(acquireStateLock(dir));
    for (const content of ['', 'me', '-1']) {
      writeFileSync(join(dir, HOLDER_FILE), content);
      expect(errorOf(acquireStateLock(dir))).toMatchObject({ type: 'StateLocked', pid: null });
    }
    rmSync(join(dir, HOLDER_FILE));
    expect(errorOf(acquireStateLock(dir))).toMatchObject({ type: 'StateLocked', pid: null });
    lock.release();
  });

  test('[LG16] refuses a lock file that is something else', () => {
    const dir = testFolder();
    writeFileSync(
      join(dir, LOCK_FILE),
      'a letter to my aunt, long enough to be taken for a header'.repeat(20),
    );
    expect(errorOf(acquireStateLock(dir))).toMatchObject({
      type: 'StoreUnavailable',
      detail: expect.stringContaining('delete it') as string,
    });
  });
});
