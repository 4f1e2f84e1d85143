import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { whyNotRunning } from './claude/sdk-install.ts';
import { createAdapters } from './registry.ts';

const SESSION = '3f0c8f3e-95b6-4a4c-9f43-0d8a4a5f7b21';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'ccdash-registry-'))));
afterEach(() => rmSync(dir, { recursive: true }));

describe('the agents of this installation', () => {
  test('[AG14] are known by id, and no other name finds anything', async () => {
    const adapters = createAdapters();
    for (const id of adapters.ids) {
      expect((await adapters.adapterOf(id))?.id).toBe(id);
      expect((await adapters.probe(id))?.adapterVersion).toBe('1');
    }
    for (const id of ['nobody', 'constructor', '__proto__', '']) {
      expect([await adapters.adapterOf(id), await adapters.probe(id)]).toEqual([null, null]);
      expect(await adapters.requiredPaths(id)).toEqual([]);
    }
  });

  test('[AG14] name the versions they were tested with, and where their programs are', async () => {
    const adapters = createAdapters();
    expect(await adapters.probe('claude')).toMatchObject({
      available: true,
      problem: null,
      sdkVersion: '0.3.330',
      programVersion: '2.1.330',
    });
    expect(await adapters.requiredPaths('claude')).toEqual([expect.stringMatching(/^\//)]);
  });

  test('[AG92] are described as they stand, and their programs run', async () => {
    const described = await createAdapters().describe();
    const byId = Object.fromEntries(described.map((adapter) => [adapter.id, adapter]));
    expect(byId['claude']).toMatchObject({
      status: 'ready',
      problem: null,
      install: 'npm install @anthropic-ai/claude-agent-sdk@0.3.330',
      testedVersion: '0.3.330',
      sdkVersion: '0.3.330',
      programVersion: '2.1.330',
    });
    expect(byId['scripted']).toMatchObject({ status: 'ready', install: null, sdkVersion: null });
  });

  test('[AG92] are broken when their program does not say the version it should', async () => {
    const install = { sdkVersion: '0.3.330', programVersion: '2.1.330', program: '/bin/echo' };
    expect(await whyNotRunning(install)).toMatch(/says it is echo, not 2\.1\.330/);
    const missing = { ...install, program: join(dir, 'claude') };
    expect(await whyNotRunning(missing)).toMatch(/does not run: .*ENOENT/);
  });

  test('[AG9] go on with a session only where it is, and only with their own', async () => {
    const adapters = createAdapters();
    mkdirSync(join(dir, 'projects', '-work'), { recursive: true });
    writeFileSync(join(dir, 'projects', '-work', `${SESSION}.jsonl`), '');
    const token = {
      adapter: 'claude',
      adapterVersion: '1',
      programVersion: '2.1.330',
      session: SESSION,
      at: null,
    };
    expect(await adapters.canResume(token, dir)).toEqual({ ok: true, value: undefined });
    const refused = [
      [{ ...token, programVersion: '2.1.999' }, dir, 'resume_refused'],
      [{ ...token, programVersion: '1.0.0' }, dir, 'resume_refused'],
      [{ ...token, adapterVersion: '0' }, dir, 'resume_refused'],
      [{ ...token, session: `../-work/${SESSION}` }, dir, 'session_gone'],
      [token, join(dir, 'elsewhere'), 'session_gone'],
      [{ ...token, adapter: 'scripted' }, dir, 'session_gone'],
      [{ ...token, adapter: 'nobody' }, dir, 'unknown_adapter'],
    ] as const;
    for (const [other, stateDir, code] of refused) {
      expect(await adapters.canResume(other, stateDir)).toMatchObject({
        ok: false,
        error: { code },
      });
    }
  });
});
