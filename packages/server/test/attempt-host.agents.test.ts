import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { AttemptOutcome, AttemptSpec, HostFact } from '@ccdash/core';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { createHostFixture, filesWith, processesWith, until } from './host-fixture.ts';

const fixture = createHostFixture();
const { hosts, stateDir } = fixture;
afterAll(() => fixture.close());

interface Seen {
  readonly facts: HostFact[];
  readonly following: ReturnType<typeof hosts.follow>;
  readonly said: () => readonly string[];
  readonly end: () => Promise<AttemptOutcome>;
}

async function start(spec: AttemptSpec, secretByName: Record<string, string> = {}): Promise<Seen> {
  await hosts.launch(spec, secretByName);
  const facts: HostFact[] = [];
  const following = hosts.follow(spec, 0, async (batch) => {
    facts.push(...batch);
  });
  return {
    facts,
    following,
    said: () => facts.flatMap((fact) => (fact.type === 'message' ? [fact.text] : [])),
    end: async () => {
      expect(await following.done).toBe('ended');
      const last = facts.at(-1);
      if (last?.type !== 'ended') throw new Error('the last fact is not the end');
      return last.outcome;
    },
  };
}

const raised = ({ facts }: Seen): readonly string[] =>
  facts.flatMap((fact) => (fact.type === 'gate-raised' ? [fact.gateId] : []));

describe('a gate', () => {
  test('[AH21] opens when the engine allows, and stays shut when it denies, with the reason', async () => {
    const seen = await start(fixture.agent([{ ask: 'build' }, { ask: 'push' }]));
    await until(() => raised(seen).length === 1);
    seen.following.answer('g1', 'allow', '');
    await until(() => raised(seen).length === 2);
    seen.following.answer('g2', 'deny', 'not today');
    expect(await seen.end()).toMatchObject({ status: 'succeeded', outputs: { text: 'done' } });
    expect(seen.said()).toEqual(['did build', 'may not push: not today']);
    expect(seen.facts.map(({ seq }) => seq)).toEqual(seen.facts.map((_, index) => index + 1));
  });

  test('[AH21] that waits when the work is stopped says no, and no later one is asked', async () => {
    const seen = await start(
      fixture.agent([{ ask: 'push' }, { ask: 'push again' }, { wait: true }]),
    );
    await until(() => raised(seen).length === 1);
    seen.following.stop('enough');
    expect(await seen.end()).toMatchObject({
      status: 'stopped',
      failure: { code: 'stopped', message: expect.stringContaining('enough') as string },
    });
    expect(raised(seen)).toEqual(['g1']);
    expect(seen.said().every((words) => words.startsWith('may not'))).toBe(true);
  });
});

describe('a program of an agent', () => {
  test('[AH23] runs in the sandbox, reaches the model by the gateway, and knows no key of the provider', async () => {
    const ask = 'curl -s -H "Authorization: Bearer $TOKEN" "$BASE_URL/v1"; echo; env | sort';
    const spec = fixture.agent([{ run: ['bash', '-c', ask] }], { secretNames: ['STEP_KEY'] });
    const seen = await start(spec, { PROVIDER_KEY: 'provider-key-1', STEP_KEY: 'step-key-1' });
    await seen.end();
    const [printed = ''] = seen.said();
    expect(printed.split('\n')[0]).toBe('welcome PROVIDER_KEY');
    expect(printed).toContain('STEP_KEY=[redacted:STEP_KEY]');
    expect(printed).toContain('TOKEN=[redacted:MODEL_TOKEN]');
    expect(printed).not.toContain('provider-key-1');
    expect(filesWith(stateDir, 'provider-key-1')).toEqual([]);
    expect(filesWith(stateDir, 'step-key-1')).toEqual([]);
  });

  test('[AH23] has no other way to the machine, though the gateway is open', async () => {
    const server = createServer((_, response) => response.end('the control plane'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const ask = `curl -sS http://127.0.0.1:${port}; curl -sS https://example.com; true`;
    const seen = await start(fixture.agent([{ run: ['bash', '-c', `(${ask}) 2>&1`] }]));
    await seen.end();
    expect(seen.said().join()).toMatch(/connect to 127[^]*resolve host/);
  });

  test('[AH24] is dead when the attempt has been stopped, and with it all that it started', async () => {
    const script = 'trap "" TERM; setsid sleep 71500 & sleep 71500';
    const seen = await start(fixture.agent([{ run: ['bash', '-c', script] }, { wait: true }]));
    await until(() => processesWith('sleep\u000071500').length === 2);
    seen.following.stop('enough');
    expect(await seen.end()).toMatchObject({ status: 'stopped' });
    expect(processesWith('71500')).toEqual([]);
  });
});

describe('an agent', () => {
  test('[AH25] that gives no sign of life is stopped, but not while a tool of it is at work', async () => {
    const idle = (spec: AttemptSpec): AttemptSpec =>
      ({ ...spec, work: { ...spec.work, ext: { idleLimitMs: 150 } } }) as AttemptSpec;
    const busy = await start(idle(fixture.agent([{ openTool: 't1' }, { wait: true }])));
    const silent = await start(idle(fixture.agent([{ wait: true }])));
    expect(await silent.end()).toMatchObject({
      status: 'failed',
      retryable: true,
      failure: { code: 'stalled' },
    });
    expect(busy.facts.at(-1)?.type).toBe('tool-started');
    busy.following.stop('enough');
    expect(await busy.end()).toMatchObject({ status: 'stopped' });
  });

  test('[AH26] whose model calls were refused for its budget has not succeeded', async () => {
    const seen = await start(fixture.agent([{ run: ['bash', '-c', 'curl -s "$BASE_URL/limit"'] }]));
    expect(await seen.end()).toMatchObject({
      status: 'failed',
      retryable: false,
      failure: { code: 'limit_reached' },
    });
  });

  test('[AH27] whose adapter breaks has a recorded end', async () => {
    const seen = await start(fixture.agent([{ run: ['sleep', '0'] }, { throw: 'a bug' }]));
    expect(await seen.end()).toMatchObject({
      status: 'failed',
      failure: { code: 'host_failed', message: expect.stringContaining('a bug') as string },
    });
  });

  test('[AH27] that nobody knows is refused by name', async () => {
    const spec = fixture.agent([]);
    const seen = await start({ ...spec, work: { ...spec.work, adapter: 'nobody' } } as AttemptSpec);
    expect(await seen.end()).toMatchObject({
      failure: {
        code: 'adapter_unavailable',
        message: expect.stringContaining('nobody') as string,
      },
    });
  });

  test('[AH28] says the session before anything else, and long texts are cut', async () => {
    const seen = await start(fixture.agent([{ say: 'x'.repeat(100_000) }]));
    await seen.end();
    expect(seen.facts[0]).toMatchObject({ type: 'session', token: { session: 'session-1' } });
    expect(seen.said()[0]?.length).toBeLessThan(70_000);
  });

  test('[AH29] works without a sandbox too, and reaches its gateway by the loopback', async () => {
    const ask = 'curl -s --noproxy "*" -H "Authorization: Bearer $TOKEN" "$BASE_URL/v1"';
    const sandbox = { kind: 'none', write: [], readPaths: [], network: 'none' } as const;
    const seen = await start(fixture.agent([{ run: ['bash', '-c', ask] }], { sandbox }), {
      PROVIDER_KEY: 'provider-key-2',
    });
    await seen.end();
    expect(seen.said()).toEqual(['welcome PROVIDER_KEY']);
  });
});
