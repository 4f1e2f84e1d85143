/** Reports of real runs, made by the command line and checked apart from any server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { verifyReport } from '../src/app.ts';
import { createCliFixture } from './cli-fixture.ts';
import type { CliFixture, Ended } from './cli-fixture.ts';

const HOSTILE = `</script><script>alert(1)</script>{{[x](javascript:a)}} & "'`;
const PLAN = `version: 1
name: ${JSON.stringify(`Limits ${HOSTILE}`)}
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: 'printf "<img src=x onerror=alert(2)>\\n"; echo a > a.txt', artifacts: [a.txt] }
  - { id: check, needs: [work], validate: [{ file: { path: a.txt, matches: a } }] }
  - { id: ship, needs: [check], approve: 'Ship it? <b>' }
`;
const NOBODY = { publicKey: null, witness: null };
const FORMATS = ['html', 'md', 'json'] as const;

let cli: CliFixture;
let runId = '';
beforeAll(async () => {
  cli = createCliFixture();
  cli.write('p.yaml', PLAN);
  expect((await cli.run('run', 'p.yaml')).exitCode).toBe(3);
  const { documents } = await cli.json('runs');
  const [runs] = documents as unknown as readonly (readonly { id: string }[])[];
  runId = runs?.[0]?.id ?? '';
});
afterAll(async () => {
  await cli.run('stop');
  cli.remove();
});

const pathOf = (name: string): string => join(cli.projectDir, name);

async function report(format: string, name: string): Promise<string> {
  const made = await cli.run('report', runId, '--format', format, '--out', name);
  expect(made, made.stderr).toMatchObject({ exitCode: 0 });
  return readFileSync(pathOf(name), 'utf8');
}

function verify(file: string, ...more: readonly string[]): Promise<Ended> {
  writeFileSync(pathOf('candidate'), file);
  return cli.run('report', 'verify', 'candidate', ...more);
}

test('[RP1] [RP3] a run that waits, and one that has ended, have reports that hold', async () => {
  for (const format of FORMATS) {
    const half = await report(format, `half.${format}`);
    expect((await verify(half)).stdout).toContain('blocked');
  }
  const { documents } = await cli.json('approvals');
  const [open] = documents as unknown as readonly (readonly { id: string }[])[];
  const because = 'it is as we want it';
  await cli.run('approve', open?.[0]?.id ?? '', '--reason', `${because}\u202e`);
  await cli.run('watch', runId);
  for (const format of FORMATS) {
    const whole = await report(format, `whole.${format}`);
    for (const said of [because, 'a.txt', 'check', 'succeeded', 'session']) {
      expect(whole.replaceAll('\\', ''), format).toContain(said);
    }
    const held = await verify(whole);
    expect(held.exitCode, held.stdout + held.stderr).toBe(0);
  }
});

test('[RP3] no word of a report, no entry and no hash can be changed', () => {
  for (const format of FORMATS) {
    const whole = readFileSync(pathOf(`whole.${format}`), 'utf8');
    const changes = [
      whole.replace('succeeded', 'failed'),
      whole.replaceAll('as we want it', 'as I want it'),
      `${whole}\n`,
      whole.slice(0, -40),
      whole.replace(/"proof":\s*\["?/, '"proof":["AAAA",'),
    ];
    for (const changed of changes.filter((each) => each !== whole)) {
      expect(verifyReport(changed, NOBODY).ok, format).toBe(false);
    }
  }
  for (const senseless of ['', '{}', '<!doctype html>', '{"type":"ccdash-report","v":1}']) {
    expect(verifyReport(senseless, NOBODY).ok).toBe(false);
  }
});

test('[RP4] another key, and a witness that has seen another log, are told', async () => {
  const whole = readFileSync(pathOf('whole.json'), 'utf8');
  const { evidence } = JSON.parse(whole) as { evidence: { publicKey: string; head: string } };
  expect((await verify(whole, '--public-key', evidence.publicKey)).exitCode).toBe(0);
  const other = await verify(whole, '--public-key', `${evidence.publicKey}A`);
  expect(other).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining('another key') as string,
  });
  writeFileSync(pathOf('witness'), `${evidence.head}\n`);
  expect((await verify(whole, '--witness', 'witness')).exitCode).toBe(0);
  writeFileSync(pathOf('witness'), '');
  expect((await verify(whole, '--witness', 'witness')).stdout).toContain('witness has no head');
});

test('[RP5] what others wrote is neither markup nor hidden', () => {
  const html = readFileSync(pathOf('whole.html'), 'utf8');
  const said = html.slice(0, html.indexOf('<script type="application/json"'));
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(said).not.toMatch(/<(script|img|b|a)\b/);
  expect(said).not.toContain('\u202e');
  expect(said).toContain('\\u202e');
  expect(said).toContain('&lt;script&gt;alert(1)');
  const md = readFileSync(pathOf('whole.md'), 'utf8');
  const prose = md.replaceAll(/^(`{3,})text\n[^]*?\n\1$/gm, '');
  expect(prose.match(/<(?!br>|!-- ccdash-evidence )/g)).toBe(null);
  expect(prose).toContain('\\[x\\]\\(javascript\\:a\\)');
});
