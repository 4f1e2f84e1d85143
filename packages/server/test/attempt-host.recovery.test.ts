import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import type { AttemptRef, AttemptSpec } from '@ccdash/core';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { attemptFolder } from '../src/host/attempt-folder.ts';
import { takeClaim } from '../src/host/claim.ts';
import { identityOf } from '../src/base/process-identity.ts';
import { readLease, writeLease } from '../src/host/lease.ts';
import { poolLease } from '../src/host/pool-folder.ts';
import {
  createHostFixture,
  followToEnd,
  hostCommand,
  hostEnv,
  isRunning,
  openHosts,
  outcomeOf,
  processesWith,
  until,
} from './host-fixture.ts';

const ENGINE = fileURLToPath(new URL('children/host-engine.ts', import.meta.url));
const fixture = createHostFixture();
const { hosts, stateDir, workspace } = fixture;
afterAll(() => fixture.close());

interface Line {
  readonly seq?: number;
  readonly type?: string;
  readonly text?: string;
  readonly gateId?: string;
  readonly standing?: string;
  readonly done?: string;
  readonly displaced?: true;
}

interface Engine {
  readonly process: ChildProcess;
  readonly lines: readonly Line[];
  order(order: object): void;
  kill(): Promise<void>;
}

function startEngine(
  epoch: number,
  errand: { readonly launch?: AttemptSpec; readonly follow: AttemptRef; readonly after?: number },
): Engine {
  const {
    launch = null,
    follow: { runId, step, attempt },
    after = 0,
  } = errand;
  const child = spawn(
    process.execPath,
    [
      '--conditions=ccdash-source',
      ENGINE,
      stateDir,
      `${epoch}`,
      JSON.stringify({ launch, follow: { runId, step, attempt }, after }),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines: Line[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as Line);
  });
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return {
    process: child,
    lines,
    order: (order) => child.stdin.write(`${JSON.stringify(order)}\n`),
    kill,
  };
}

describe('an engine that dies', () => {
  test('[AH10] is followed by others that take over without a fact lost or doubled', async () => {
    // Each engine is killed amid a block of messages; the gate behind it holds the next block for the next engine.
    const block = [{ sayMany: 1000 }, { ask: 'go on' }];
    const spec = fixture.agent([...block, ...block, ...block]);
    const seen: Line[] = [];
    for (let epoch = 1; epoch <= 4; epoch += 1) {
      const engine = startEngine(epoch, {
        ...(epoch === 1 ? { launch: spec } : {}),
        follow: spec,
        after: seen.at(-1)?.seq ?? 0,
      });
      const facts = (): readonly Line[] => engine.lines.filter(({ seq }) => seq !== undefined);
      const hears = (type: string): Promise<void> =>
        until(() =>
          [...seen, ...facts()].some(
            (fact) => fact.type === type && fact.gateId === `g${epoch - 1}`,
          ),
        );
      if (epoch > 1) {
        await hears('gate-raised');
        engine.order({ answer: `g${epoch - 1}` });
        await hears('gate-answered');
      }
      if (epoch === 4) await until(() => engine.lines.some(({ done }) => done === 'ended'));
      else await until(() => facts().length > 300);
      await engine.kill();
      seen.push(...facts());
    }
    expect(seen.map(({ seq }) => seq)).toEqual(seen.map((_, index) => index + 1));
    expect(seen.at(-1)).toMatchObject({ type: 'ended', outcome: { status: 'succeeded' } });
    expect(seen.filter(({ text }) => text?.startsWith('message')).length).toBe(3000);
  });

  test('[AH11] leaves a gate closed until a later engine answers it, once', async () => {
    const spec = fixture.agent([{ ask: 'push' }, { say: 'after' }]);
    for (const epoch of [11, 12]) {
      const engine = startEngine(epoch, {
        ...(epoch === 11 ? { launch: { ...spec, epoch } } : {}),
        follow: spec,
      });
      await until(() => engine.lines.some(({ type }) => type === 'gate-raised'));
      await engine.kill();
    }
    const last = startEngine(13, { follow: spec });
    await until(() => last.lines.some(({ type }) => type === 'gate-raised'));
    expect(last.lines.filter(({ text }) => text !== undefined)).toEqual([]);
    last.order({ answer: 'g1' });
    last.order({ answer: 'g1' });
    await until(() => last.lines.some(({ done }) => done !== undefined));
    const types = last.lines.map(({ type, text }) => text ?? type).filter(Boolean);
    expect(types).toEqual([
      'session',
      'gate-raised',
      'gate-answered',
      'did push',
      'after',
      'ended',
    ]);
    expect(last.lines[0]).toEqual({ standing: 'alive' });
  });

  test('[AH12] leaves its command running, and the next engine gets its end', async () => {
    const marker = join(workspace, 'go-on');
    const spec = fixture.command(
      'touch begun; while [ ! -e go-on ]; do sleep 0.01; done; echo end',
    );
    const first = startEngine(1, { launch: spec, follow: spec });
    await until(() => existsSync(join(workspace, 'begun')));
    await first.kill();
    const second = startEngine(2, { follow: spec });
    await until(() => second.lines.some(({ standing }) => standing === 'alive'));
    writeFileSync(marker, '');
    await until(() => second.lines.some(({ done }) => done === 'ended'));
    expect(fixture.output(spec)).toBe('end\n');
    expect(await openHosts(stateDir, 2).find(spec)).toBe('ended');
  });

  test('[AH13] and is not followed within the orphan limit, is the end of the work', async () => {
    const spec = fixture.agent([{ run: ['sleep', '71300'] }, { wait: true }], {
      orphanLimitMs: 1000,
    });
    const engine = startEngine(1, { launch: spec, follow: spec });
    await until(() => processesWith('sleep\u000071300').length > 0);
    await engine.kill();
    const later = openHosts(stateDir, 2);
    await until(async () => (await later.find(spec)) === 'ended');
    expect(outcomeOf(await followToEnd(later, spec))).toMatchObject({
      status: 'failed',
      failure: { code: 'orphaned' },
    });
    expect(processesWith('71300')).toEqual([]);
  });

  test('[AH14] in the middle of an errand, leaves a host that begins nothing', async () => {
    const spec = fixture.command('true');
    const errand = JSON.stringify({ kind: 'attempt', stateDir, spec, secretByName: {} });
    const [program, ...args] = hostCommand();
    const host = spawn(program, args, { env: hostEnv(), stdio: ['pipe', 'ignore', 'inherit'] });
    host.stdin.end(errand);
    expect(await new Promise((resolve) => host.once('exit', resolve))).toBe(0);
    expect(await hosts.find(spec)).toBe('never-started');
  });
});

describe('an attempt', () => {
  test('[AH15] that an engine found unclaimed never runs, however late its host comes', async () => {
    const spec = fixture.command('touch should-not-be');
    const later = fixture.engine(40);
    expect(await later.find(spec)).toBe('never-started');
    await later.launch(spec, {});
    expect((await followToEnd(later, spec)).how).toBe('gone');
    // The same pool, later: had it begun the first one, that would show by now.
    const next = fixture.command('true');
    await later.launch(next, {});
    await followToEnd(later, next);
    expect(existsSync(attemptFolder(stateDir, spec).spool)).toBe(false);
    expect(existsSync(join(workspace, 'should-not-be'))).toBe(false);
    expect(await later.find(spec)).toBe('never-started');
  });

  test('[AH15] is claimed by exactly one of several that try', async () => {
    const folder = attemptFolder(stateDir, fixture.nextRef());
    mkdirSync(folder.dir, { recursive: true });
    const claims = Array.from({ length: 20 }, (_, index) =>
      takeClaim(folder, { kind: 'fence', reason: `${index}` }),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
    expect(JSON.parse(readFileSync(folder.claim, 'utf8'))).toEqual({ kind: 'fence', reason: '0' });
  });

  test('[AH16] whose host cannot be started fails, and says why', async () => {
    const broken = openHosts(stateDir, 1, undefined, [
      process.execPath,
      '-e',
      'throw new Error("no luck")',
    ]);
    const spec = fixture.agent([]);
    await broken.launch(spec, {});
    expect(outcomeOf(await followToEnd(broken, spec))).toMatchObject({
      status: 'failed',
      failure: { code: 'host_failed', message: expect.stringContaining('no luck') as string },
    });
  });

  test('[AH17] is taken over by an engine of a higher epoch; the lower one hears nothing more', async () => {
    const spec = fixture.agent([{ ask: 'first' }, { ask: 'second' }], { epoch: 50 });
    const old = startEngine(50, { launch: spec, follow: spec });
    await until(() => old.lines.some(({ type }) => type === 'gate-raised'));
    const fresh = startEngine(51, { follow: spec });
    await until(() => old.lines.some(({ displaced }) => displaced === true));
    old.order({ answer: 'g1' });
    fresh.order({ answer: 'g1' });
    await until(() => fresh.lines.some(({ gateId }) => gateId === 'g2'));
    const late = startEngine(50, { follow: spec });
    await until(() => late.lines.some(({ displaced }) => displaced === true));
    fresh.order({ answer: 'g2' });
    await until(() => fresh.lines.some(({ done }) => done === 'ended'));
    expect(old.lines.some(({ type }) => type === 'ended')).toBe(false);
  });

  test('[AH17] that a lower epoch would start is not touched', async () => {
    const engine = fixture.engine(45);
    const first = fixture.command('true');
    await engine.launch(first, {});
    await followToEnd(engine, first);
    const spec = fixture.command('touch should-not-be-either');
    const before = fixture.displaced.length;
    await fixture.engine(44).launch(spec, {});
    expect(fixture.displaced.slice(before)).toMatchObject([{ attempt: spec.attempt }]);
    expect(await engine.find(spec)).toBe('never-started');
  });
});

describe('a host that dies', () => {
  test('[AH18] takes everything below it along, also what has detached itself', async () => {
    const script = [
      'sleep 71400 &',
      'setsid sleep 71400 &',
      'nohup sleep 71400 >/dev/null 2>&1 &',
      '(trap "" TERM HUP; setsid sh -c "(sleep 71400 &)" &)',
      'wait',
    ].join('\n');
    const spec = fixture.agent([{ run: ['bash', '-c', script] }]);
    await hosts.launch(spec, {});
    const following = followToEnd(hosts, spec);
    await until(() => processesWith('sleep\u000071400').length === 4);
    const { host, roots } = fixture.leaseOf(spec);
    process.kill(host.pid, 'SIGKILL');
    expect((await following).how).toBe('gone');
    expect(processesWith('71400')).toEqual([]);
    expect(roots.map(({ process: { pid } }) => isRunning(pid))).toEqual([false]);
    expect(await hosts.find(spec)).toBe('gone');
  });

  test('[AH18] is no obstacle to the next command when it was the pool', async () => {
    const engine = fixture.engine(55);
    const spec = fixture.command('sleep 71401');
    await engine.launch(spec, {});
    const following = followToEnd(engine, spec);
    await until(() => processesWith('sleep\u000071401').length > 0);
    const dead = fixture.poolPid();
    process.kill(dead, 'SIGKILL');
    expect((await following).how).toBe('gone');
    expect(processesWith('sleep\u000071401')).toEqual([]);
    const next = fixture.command('echo again');
    await engine.launch(next, {});
    expect(outcomeOf(await followToEnd(engine, next))).toMatchObject({ exitCode: 0 });
    expect(fixture.poolPid()).not.toBe(dead);
  });

  test('[AH19] is known by more than its pid, which another process may have', async () => {
    const ref = fixture.nextRef();
    const folder = attemptFolder(stateDir, ref);
    mkdirSync(folder.dir, { recursive: true });
    const self = identityOf(process.pid)!;
    takeClaim(folder, { kind: 'host', host: { ...self, startedTicks: '1' } });
    expect(await hosts.find(ref)).toBe('gone');
    const other = fixture.nextRef();
    mkdirSync(attemptFolder(stateDir, other).dir, { recursive: true });
    takeClaim(attemptFolder(stateDir, other), {
      kind: 'host',
      host: { ...self, bootId: 'before' },
    });
    expect(await hosts.find(other)).toBe('gone');
  });
});

describe('the pool', () => {
  test('[AH20] goes when it is let go and idle, and a later engine starts another', async () => {
    const one = openHosts(stateDir, 60);
    const spec = fixture.command('true');
    await one.launch(spec, {});
    await followToEnd(one, spec);
    const pid = fixture.poolPid();
    one.close();
    await until(() => !isRunning(pid));
    const two = openHosts(stateDir, 61);
    const next = fixture.command('true');
    await two.launch(next, {});
    expect((await followToEnd(two, next)).how).toBe('ended');
    expect(fixture.poolPid()).not.toBe(pid);
    two.close();
  });

  test('[EN23] of another version is sent away once its work is done, and is given nothing more', async () => {
    const one = openHosts(stateDir, 62);
    const long = fixture.command('until test -e go; do sleep 0.1; done');
    await one.launch(long, {});
    const older = fixture.poolPid();
    const path = poolLease(stateDir);
    writeLease(path, { ...readLease(path)!, protocol: 0 });
    const two = openHosts(stateDir, 63);
    const next = fixture.command('touch go');
    await two.launch(next, {});
    expect(outcomeOf(await followToEnd(two, next))).toMatchObject({ exitCode: 0 });
    expect(fixture.poolPid()).not.toBe(older);
    expect((await followToEnd(two, long)).how).toBe('ended');
    two.close();
  });
});
