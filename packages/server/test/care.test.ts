/** The state folder as a file: taken while a run waits, and gone on with somewhere else. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture } from './cli-fixture.ts';

const PLAN = `version: 1
name: Waits
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: 'echo one > a.txt' }
  - { id: gate, approve: 'Go on?' }
  - { id: last, run: 'cat a.txt' }
`;

let cli: CliFixture;
let archive = '';

beforeEach(async () => {
  cli = createCliFixture();
  archive = join(cli.stateHome, '../state.tar.gz');
  cli.write('waits.yaml', PLAN);
  expect((await cli.run('run', 'waits.yaml')).exitCode).toBe(3);
});
afterEach(async () => {
  await cli.run('stop');
  cli.remove();
});

/** As on another machine: nothing of the state is here. */
async function elsewhere(): Promise<void> {
  await cli.run('stop');
  renameSync(cli.stateHome, `${cli.stateHome}-before`);
}

/** An archive of a folder with these files; a value of null is a link that leads out. */
function packed(files: Readonly<Record<string, string | null>>): string {
  const folder = join(cli.stateHome, '../made');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    if (text === null) symlinkSync('/etc', join(folder, name));
    else writeFileSync(join(folder, name), text);
  }
  const path = join(cli.stateHome, '../made.tar.gz');
  execFileSync('tar', ['-czf', path, '-C', folder, ...readdirSync(folder)]);
  return path;
}

describe('a backup', () => {
  test('[EN28] is gone on with where nothing else of the run is left, and its log is proven there', async () => {
    const made = await cli.json('backup', archive);
    expect(made).toMatchObject({ exitCode: 0, documents: [{ file: archive }] });
    expect(statSync(archive).mode & 0o777).toBe(0o600);
    const names = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' }).split('\n');
    expect(names.filter((name) => /^(token|server|engine|http|pool)/.test(name))).toEqual([]);
    // Whoever was served is served again.
    expect((await cli.json('stop')).documents).toEqual([{ stopped: true }]);
    await elsewhere();
    const restored = await cli.json('restore', archive);
    expect(restored).toMatchObject({
      exitCode: 0,
      documents: [{ entries: made.documents[0]?.['entries'], root: made.documents[0]?.['root'] }],
    });
    expect((await cli.json('audit', 'verify')).documents).toMatchObject([
      { ok: true, bypasses: 0 },
    ]);
    const [open] = (await cli.json('approvals')).documents as unknown as [
      readonly { id: string }[],
    ];
    expect((await cli.run('approve', open[0]!.id, '--reason', 'fine')).exitCode).toBe(0);
    const [runs] = (await cli.json('runs')).documents as unknown as [readonly { id: string }[]];
    const watched = await cli.run('watch', runs[0]!.id);
    expect([watched.exitCode, watched.stdout]).toEqual([0, expect.stringContaining('succeeded')]);
  });

  test('[EN28] is written over nothing, and not where nothing has run', async () => {
    writeFileSync(archive, 'mine');
    expect((await cli.run('backup', archive)).exitCode).toBe(6);
    expect(readFileSync(archive, 'utf8')).toBe('mine');
    await elsewhere();
    expect((await cli.run('backup', `${archive}.2`)).exitCode).toBe(5);
    expect(existsSync(`${archive}.2`)).toBe(false);
  });
});

describe('a restore', () => {
  test('[EN29] goes over no state that is there', async () => {
    await cli.run('backup', archive);
    const { exitCode, stderr } = await cli.run('restore', archive);
    expect([exitCode, stderr]).toEqual([6, expect.stringContaining('holds the state')]);
  });

  test('[EN29] of what is no backup, or leads out of it, or has a changed log, leaves nothing', async () => {
    await cli.run('backup', archive);
    await elsewhere();
    const folder = join(cli.stateHome, '../was');
    mkdirSync(folder);
    execFileSync('tar', ['-xzf', archive, '-C', folder]);
    const log = readFileSync(join(folder, 'log.db'));
    // Everywhere: what is first may be a page that SQLite does not use any more.
    for (let at = log.indexOf('Go on?'); at >= 0; at = log.indexOf('Go on?')) {
      log.write('Go in?', at);
    }
    writeFileSync(join(folder, 'log.db'), log);
    const changed = join(cli.stateHome, '../changed.tar.gz');
    execFileSync('tar', ['-czf', changed, '-C', folder, ...readdirSync(folder)]);
    const bad = [
      packed({ 'log.db': 'no log', token: 'mine', artifacts: null }),
      join(cli.projectDir, 'readme.md'),
      changed,
    ];
    for (const file of bad) {
      const { exitCode, stderr } = await cli.run('restore', file);
      expect([file, exitCode]).toEqual([file, 1]);
      expect(stderr).not.toContain('    at ');
      expect(existsSync(join(cli.stateDir, 'log.db'))).toBe(false);
      if (existsSync(cli.stateHome)) {
        expect(readdirSync(cli.stateHome).filter((name) => name.includes('restoring'))).toEqual([]);
      }
    }
    expect((await cli.run('restore', archive)).exitCode).toBe(0);
  });
});
