import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';
import {
  createHostFixture,
  filesWith,
  followToEnd,
  outcomeOf,
  processesWith,
  until,
} from './host-fixture.ts';

const fixture = createHostFixture();
const { hosts, workspace } = fixture;
afterAll(() => fixture.close());

describe('output', () => {
  test('[AH1] stdout and stderr are kept whole and in the order in which they were printed', async () => {
    const spec = fixture.command('echo one; echo two >&2; echo three; echo four >/dev/stderr');
    const outcome = await fixture.run(spec);
    const printed = 'one\ntwo\nthree\nfour\n';
    expect(fixture.output(spec)).toBe(printed);
    expect(outcome).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      output: {
        bytes: printed.length,
        sha256: createHash('sha256').update(printed).digest('hex'),
        tail: ['one', 'two', 'three', 'four'],
      },
    });
  });

  test('[AH1] bytes that are no text, and characters cut in two, arrive as they were printed', async () => {
    const spec = fixture.command(
      `node -e "const b=Buffer.alloc(300000,'añ€😀');for(let i=0;i<b.length;i+=1)b[i]^=(i%997===0?255:0);process.stdout.write(b.subarray(0,150001),()=>process.stdout.write(b.subarray(150001)))"`,
    );
    const outcome = await fixture.run(spec);
    const expected = Buffer.alloc(300000, 'añ€😀');
    for (let index = 0; index < expected.length; index += 997) expected[index]! ^= 255;
    expect(readFileSync(hosts.outputPathOf(spec)).equals(expected)).toBe(true);
    expect(outcome.output?.sha256).toBe(createHash('sha256').update(expected).digest('hex'));
  });

  test('[AH2] 200 MB of output pass through without being held in memory', async () => {
    const before = await fixture.run(fixture.command('true'));
    expect(before.status).toBe('succeeded');
    const spec = fixture.command('head -c 200000000 /dev/zero | tr "\\0" x');
    const outcome = await fixture.run(spec);
    expect(outcome.output?.bytes).toBe(200_000_000);
    const status = readFileSync(`/proc/${fixture.poolPid()}/status`, 'utf8');
    const peakKiB = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]);
    expect(peakKiB).toBeLessThan(250_000);
  });

  test('[AH3] a secret is on disk nowhere, in none of the forms it was printed in', async () => {
    const secret = 'p4ss/w0rd+"ünd" 1';
    const spec = fixture.command(
      [
        'printf %s "$KEY" | head -c 5; sync; printf %s "$KEY" | tail -c +6; echo',
        'printf "user:%s" "$KEY" | base64 -w0; echo',
        'printf %s "$KEY" | od -An -tx1 | tr -d " \\n"; echo',
        'node -p "encodeURIComponent(process.env.KEY)"; node -p "JSON.stringify({k: process.env.KEY})"',
        'echo "key=$KEY" >> "$CCDASH_OUTPUT"',
      ].join('\n'),
      { secretNames: ['KEY'] },
    );
    const outcome = await fixture.run(spec, { KEY: secret });
    const printed = fixture.output(spec);
    expect(outcome).toMatchObject({ status: 'succeeded', outputs: { key: '[redacted:KEY]' } });
    const [plain, base64, hex, url, json] = printed.split('\n');
    expect([plain, hex, url, json]).toEqual([
      '[redacted:KEY]',
      '[redacted:KEY]',
      '[redacted:KEY]',
      '{"k":"[redacted:KEY]"}',
    ]);
    expect(Buffer.from(base64 ?? '', 'base64').toString()).not.toContain('w0rd');
    for (const form of [secret, Buffer.from(secret).toString('hex'), encodeURIComponent(secret)]) {
      expect(filesWith(fixture.stateDir, form)).toEqual([]);
    }
  });

  test('[AH3] a secret is in the arguments and the environment of no process outside the sandbox', async () => {
    const secret = 'environ-secret-7391';
    const spec = fixture.command('touch ready; while [ ! -e leave ]; do sleep 0.01; done', {
      secretNames: ['KEY'],
    });
    await hosts.launch(spec, { KEY: secret });
    await until(() => existsSync(join(workspace, 'ready')));
    const [bwrap] = fixture.leaseOf(spec).roots;
    expect(processesWith(secret)).toEqual([]);
    for (const pid of [bwrap!.process.pid, fixture.poolPid()]) {
      expect(readFileSync(`/proc/${pid}/environ`, 'latin1')).not.toContain(secret);
    }
    await fixture.run(fixture.command('touch leave'));
    expect(outcomeOf(await followToEnd(hosts, spec)).status).toBe('succeeded');
  });
});

describe('outcome', () => {
  test('[AH4] an exit code is reported as it is, for the engine to judge', async () => {
    expect(await fixture.run(fixture.command('exit 7'))).toMatchObject({
      status: 'succeeded',
      exitCode: 7,
    });
    expect(await fixture.run(fixture.command('kill -SEGV $$'))).toMatchObject({ exitCode: 139 });
  });

  test('[AH4] a program that does not exist is named', async () => {
    expect(await fixture.run(fixture.command(['no-such-program']))).toMatchObject({
      status: 'failed',
      exitCode: null,
      failure: {
        code: 'program_missing',
        message: expect.stringContaining('no-such-program') as string,
      },
    });
  });

  test('[AH4] a working folder that is missing or outside is named', async () => {
    const elsewhere = (cwd: string) => {
      const spec = fixture.command('true');
      return { ...spec, work: { ...spec.work, cwd } } as typeof spec;
    };
    for (const cwd of ['missing', '../..', '/etc']) {
      expect(await fixture.run(elsewhere(cwd))).toMatchObject({
        status: 'failed',
        failure: { code: 'setup_failed', message: expect.stringContaining(cwd) as string },
      });
    }
  });

  test('[AH4] a variable that would be read as an argument of the sandbox is refused', async () => {
    const value = 'x\0--bind\0/\0/';
    for (const env of [{ GOOD: value }, { [`A\0${value}`]: '' }]) {
      expect(await fixture.run(fixture.command('true', { env }))).toMatchObject({
        status: 'failed',
        failure: { code: 'setup_failed', message: expect.stringContaining('NUL') as string },
      });
    }
    const spec = fixture.command('echo "$KEY"', { secretNames: ['KEY'] });
    expect(await fixture.run(spec, { KEY: value })).toMatchObject({ status: 'failed' });
  });

  test('[AH5] key=value lines and JSON in $CCDASH_OUTPUT become outputs', async () => {
    const lines = 'echo "a=1" >> $CCDASH_OUTPUT; echo "b=x=y" >> $CCDASH_OUTPUT';
    expect((await fixture.run(fixture.command(lines))).outputs).toEqual({ a: '1', b: 'x=y' });
    const json = `echo '{"n": 1, "list": [true]}' > $CCDASH_OUTPUT`;
    expect((await fixture.run(fixture.command(json))).outputs).toEqual({ n: 1, list: [true] });
  });

  test('[AH5] a $CCDASH_OUTPUT that cannot be read plainly fails the command, with the line', async () => {
    const cases = [
      ['printf "a=1\\nnonsense\\n" > $CCDASH_OUTPUT', 'line 2'],
      ['echo "{" > $CCDASH_OUTPUT', 'JSON'],
      ['ln -s /etc/hostname $CCDASH_OUTPUT', 'regular file'],
      ['mkfifo $CCDASH_OUTPUT', 'regular file'],
      ['head -c 1100000 /dev/zero > $CCDASH_OUTPUT', 'larger than'],
    ] as const;
    for (const [script, words] of cases) {
      expect(await fixture.run(fixture.command(script))).toMatchObject({
        status: 'failed',
        failure: { code: 'invalid_output', message: expect.stringContaining(words) as string },
      });
    }
  });

  test('[AH6] the time limit ends a command', async () => {
    expect(await fixture.run(fixture.command('sleep 1000', { timeoutMs: 100 }))).toMatchObject({
      status: 'failed',
      failure: { code: 'timed_out', message: expect.stringContaining('0.1 s') as string },
    });
  });

  test('[AH6] a command that ignores the friendly signal is killed after the grace period', async () => {
    const deaf = 'trap "" TERM; touch deaf; while :; do sleep 0.05; done';
    const spec = fixture.command(deaf);
    await hosts.launch(spec, {});
    await until(() => existsSync(join(workspace, 'deaf')));
    const end = followToEnd(hosts, spec);
    const following = hosts.follow(spec, 0, async () => undefined);
    following.stop('enough');
    expect(outcomeOf(await end)).toMatchObject({ status: 'stopped', exitCode: 137 });
    expect(await following.done).toBe('ended');
  });

  test('[AH6] a stop is asked for first, and ends the command as stopped', async () => {
    const spec = fixture.command(
      'trap "echo bye; exit 0" TERM; touch up; while :; do sleep 0.02; done',
    );
    await hosts.launch(spec, {});
    await until(() => existsSync(join(workspace, 'up')));
    const facts: unknown[] = [];
    const following = hosts.follow(spec, 0, async (batch) => {
      facts.push(...batch);
    });
    following.stop('no longer wanted');
    following.stop('no longer wanted');
    expect(await following.done).toBe('ended');
    expect(facts).toMatchObject([
      {
        seq: 1,
        type: 'ended',
        outcome: {
          status: 'stopped',
          failure: { message: expect.stringContaining('no longer wanted') as string },
          output: { tail: expect.arrayContaining(['bye']) as unknown },
        },
      },
    ]);
  });

  test('[AH7] nothing that a command leaves behind lives when its end is told', async () => {
    const mark = 'sleep 71234';
    const script = [
      `${mark} &`,
      `setsid ${mark} &`,
      `nohup ${mark} >/dev/null 2>&1 &`,
      `(trap "" TERM HUP; setsid sh -c "(${mark} &)" &)`,
      'while [ "$(pgrep -cf "^sleep 71234$")" -lt 4 ]; do sleep 0.01; done',
    ].join('\n');
    expect(await fixture.run(fixture.command(script))).toMatchObject({ exitCode: 0 });
    expect(processesWith('71234')).toEqual([]);
  });

  test('[AH8] a write prefix that is a link out of the workspace is refused', async () => {
    mkdirSync(join(workspace, 'links'));
    symlinkSync('/dev/shm', join(workspace, 'links', 'out'));
    const spec = fixture.command('true', {
      sandbox: { kind: 'bubblewrap', write: ['links/out/**'], readPaths: [], network: 'none' },
    });
    expect(await fixture.run(spec)).toMatchObject({
      status: 'failed',
      failure: { code: 'unsafe_path', message: expect.stringContaining('links/out') as string },
    });
  });
});

describe('without a sandbox', () => {
  const none = { kind: 'none', write: ['**'], readPaths: [], network: 'none' } as const;

  test('[AH9] a command runs, with a home of its own, and what stays in its group ends with it', async () => {
    const spec = fixture.command('echo "$HOME"; sleep 71235 & exit 4', { sandbox: none });
    expect(await fixture.run(spec)).toMatchObject({ exitCode: 4 });
    expect(fixture.output(spec).trim()).not.toBe(process.env['HOME']);
    expect(processesWith('71235')).toEqual([]);
  });

  test('[AH9] a program that holds the output after its group is dead does not hold the end', async () => {
    const spec = fixture.command('setsid sleep 71236 & echo out', { sandbox: none });
    const outcome = await fixture.run(spec);
    for (const pid of processesWith('71236')) process.kill(pid, 'SIGKILL');
    expect(outcome).toMatchObject({ status: 'succeeded', output: { tail: ['out'] } });
  });
});
