import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFaults, openWorkbench } from './workbench.ts';
import type { Workbench } from './workbench.ts';

const FEATURE = 'docs/project_plans/PRDs/features/limits-v1.md';
const HOSTILE = `---
title: Limits
status: approved
---
# Limits of a client

<script>document.title = 'owned'</script>
<img src=x onerror="document.title = 'owned'">

![a picture](http://127.0.0.1:9/spy.png) [click](javascript:document.title='owned') [out](https://example.com/a)

Right to left: \u202egnp.exe, and an escape: \u001b[2Jcleared

- [x] decided
- [ ] open

| a | b |
| - | - |
| 1 | 2 |
`;
const PLAN = `version: 1
name: Ship the limits
feature: limits-v1
scope: { tools: [exec], write: ['**'] }
inputs: { target: { type: string, default: staging } }
steps:
  - { id: work, argv: ['touch', 'a.txt'] }
  - { id: publish, needs: [work], argv: ['git', 'push'], risk: high }
`;
const PATHS = ['/features', '/features/limits-v1?tab=orchestration'];

let workbench: Workbench;

beforeAll(async () => {
  workbench = await openWorkbench({
    [FEATURE]: HOSTILE,
    'docs/project_plans/implementation_plans/features/limits-v1.md':
      '---\ntitle: Limits\nstatus: approved\n---\n## Phase 1: Ground\n## Phase 2: House\n',
    '.claude/progress/limits-v1/phase-1-progress.md':
      '---\nphase: 1\nstatus: in_progress\ntasks:\n  - { id: T1, title: Count, status: done }\n  - { id: T2, title: Refuse, status: pending, depends_on: [T1] }\n---\n',
  });
});

afterAll(() => workbench.close());

test('[WB58] a plan made of the documents is edited, checked, and launched for its feature', async () => {
  const page = await workbench.open('/features');
  await page.getByRole('link', { name: /Limits/ }).click();
  await page.getByRole('tab', { name: 'Orchestration' }).click();
  await page.getByRole('button', { name: 'Make a plan' }).click();
  const text = page.getByLabel('Plan', { exact: true });
  await expect.poll(() => text.inputValue()).toContain('feature: limits-v1');

  await text.fill(PLAN.replace('needs: [work]', 'needs: [wrok]'));
  await page.getByRole('button', { name: 'error at line 8' }).click();
  const selected = await text.evaluate((area: HTMLTextAreaElement) =>
    area.value.slice(area.selectionStart, area.selectionEnd),
  );
  expect(selected).toContain('wrok');
  expect(await page.getByRole('button', { name: 'Save and launch…' }).isDisabled()).toBe(true);

  await text.fill(PLAN);
  await page.getByRole('list', { name: 'Steps' }).getByText('asks people').waitFor();
  await page.getByRole('button', { name: 'Save and launch…' }).click();
  await page.getByLabel(/target/).fill('production');
  await page.getByRole('button', { name: 'Launch', exact: true }).click();
  await page.waitForURL(/\/runs\/run_/);
  const runs = await workbench.client.runs();
  if (!runs.ok) throw new Error(runs.error.detail);
  expect(runs.value).toMatchObject([
    { feature: 'limits-v1', plan: { name: 'Ship the limits' }, inputs: { target: 'production' } },
  ]);
});

test('[WB58] a plan that somebody else has saved since is not saved over', async () => {
  const saved = await workbench.client.savePlan(PLAN, 'plan.yaml');
  if (!saved.ok) throw new Error(saved.error.detail);
  const { id } = saved.value;
  const page = await workbench.open(`/features/limits-v1?tab=orchestration&plan=${id}`);
  const text = page.getByLabel('Plan', { exact: true });
  await text.waitFor();
  const now = await workbench.client.plan(id);
  const seen = now.ok ? now.value.revision : 0;
  await text.fill(PLAN.replace('a.txt', 'b.txt'));
  const other = PLAN.replace('a.txt', 'c.txt');
  const theirs = await workbench.client.revisePlan(id, { text: other, file: 'p', seen });
  expect(theirs.ok).toBe(true);
  await page.getByRole('button', { name: 'Save and launch…' }).click();
  await page.getByText('The newest revision of plan').waitFor();
});

test('[WB59] the next step shows what it rests on, and a command what the policy says, before it runs', async () => {
  const page = await workbench.open('/features/limits-v1');
  await page.getByRole('list', { name: 'What this rests on' }).waitFor();
  const run = page.getByRole('button', { name: 'Run command' });
  expect(await run.isDisabled()).toBe(true);
  await page.getByRole('textbox', { name: 'Command' }).fill('git push origin main');
  const card = page.getByRole('region', { name: 'Run one command' });
  await card.getByText('asks people').waitFor();
  await card
    .getByText(/publishes/)
    .first()
    .waitFor();
  await run.click();
  await page.waitForURL(/\/runs\/run_/);
});

test('[WB60] a hostile document is text: nothing of it runs, loads or hides', async () => {
  const asked: string[] = [];
  const page = await workbench.open('/features');
  page.on('request', (request) => asked.push(request.url()));
  await page.goto(
    `${workbench.url}/features/limits-v1?tab=documents&document=${encodeURIComponent(FEATURE)}`,
  );
  await page.getByText('[image: a picture]').waitFor();
  expect(await page.title()).toBe('CCDash');
  expect(asked.filter((url) => !url.startsWith(workbench.url))).toEqual([]);
  expect(await page.locator('article script, article img').count()).toBe(0);
  expect(
    await page.locator('article a').evaluateAll((all) => all.map((a) => a.getAttribute('href'))),
  ).toEqual(['https://example.com/a']);
  const shown = (await page.textContent('article')) ?? '';
  expect(shown).toContain('\\u202egnp.exe');
  expect(shown).not.toContain('\u202e');
});

test.each(PATHS)(
  '[WB55] [WB56] %s: axe finds nothing in both themes, and it fits a phone',
  async (path) => {
    for (const theme of ['light', 'dark'] as const) {
      const page = await workbench.open(path, { theme });
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.getByText('Loading…').first().waitFor({ state: 'detached' });
      expect(await accessibilityFaults(page), theme).toEqual([]);
      await page.context().close();
    }
    const phone = await workbench.open(path, { width: 390 });
    await phone.getByRole('heading', { level: 1 }).waitFor();
    expect(await phone.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
    await phone.context().close();
  },
);
