/** The page of a run and of its requests, before a real server with real work. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFaults, openWorkbench } from './workbench.ts';
import type { Workbench } from './workbench.ts';

const HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">';
const SCRIPT = String.raw`printf '\033[32mgreen\033[0m\n\033]0;taken\007\033]8;;http://evil.example\033\\link\n'; printf 'appr\342\200\256oved\n'; echo '${HOSTILE}'; echo one > a.txt`;
const PLAN = `version: 1
name: 'Ship it ${HOSTILE.replaceAll("'", '')}'
scope: { tools: [exec], write: ['**'] }
steps:
  - id: work
    run: ${JSON.stringify(SCRIPT)}
  - id: fail
    needs: [work]
    run: echo broken; exit 3
  - { id: ship, needs: [work], approve: 'Ship it?', show: [diff, work.output], form: { version: { type: string, required: true } } }
`;

const FAILING = `version: 1
name: It fails
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, run: echo one > a.txt }
  - { id: fail, needs: [work], run: exit 3 }
`;

let workbench: Workbench;

beforeAll(async () => {
  workbench = await openWorkbench({ 'ok.txt': 'ok\n' });
});

afterAll(() => workbench.close());

async function launched(plan = PLAN): Promise<string> {
  const { id } = await workbench.launch(plan);
  return id;
}

/** Once what runs has run. */
async function openRun(id: string, query = '', options = {}): Promise<Page> {
  const page = await workbench.open(`/runs/${id}${query}`, options);
  await page.getByRole('heading', { name: 'ship waits for a decision of the plan' }).waitFor();
  await page.getByText('fail failed').waitFor();
  return page;
}

test('[WB9] a run shows what failed and what it waits for first, and leads to the step', async () => {
  const page = await openRun(await launched());
  await page.getByRole('button', { name: 'See why' }).click();
  const panel = page.getByRole('complementary', { name: 'Step fail' });
  await panel.getByText('Exit code', { exact: true }).waitFor();
  await panel.getByText('broken', { exact: true }).waitFor();
  expect(new URL(page.url()).searchParams.get('step')).toBe('fail');
  // The address is the state: whoever gets the link sees the same.
  const other = await workbench.open(`${new URL(page.url()).pathname}?step=fail&view=graph`);
  await other.getByRole('complementary', { name: 'Step fail' }).waitFor();
  await other.getByRole('button', { name: /ship/, pressed: false }).first().waitFor();
});

test('[WB1] [WB8] output has its colors, and nothing else of what it tries has an effect', async () => {
  const page = await openRun(await launched(), '?step=work');
  const output = page.getByRole('group', { name: 'Output of work, attempt 1' });
  await output.getByText('green').waitFor();
  expect(await output.locator('.ansi-green').textContent()).toBe('green');
  const text = (await output.textContent()) ?? '';
  expect(text).toContain('appr\\u202eoved');
  expect(text).toContain(HOSTILE);
  expect(text).not.toContain('evil.example');
  expect(await page.title()).toBe('CCDash');
  expect(await page.locator('img').count()).toBe(0);
});

test('[WB61] a failed command is tried again as another one, from its dialog, with what that does shown first', async () => {
  const { id } = await workbench.launch(FAILING);
  const page = await workbench.open(`/runs/${id}`);
  await page.getByText('fail failed').waitFor();
  await page.getByRole('button', { name: 'See why' }).click();
  const panel = page.getByRole('complementary', { name: 'Step fail' });
  await panel.getByRole('button', { name: 'Try again' }).click();
  expect(new URL(page.url()).searchParams.get('do')).toBe('retry');
  const dialog = page.getByRole('dialog', { name: 'Try again: fail' });
  await dialog.getByLabel('Another command').fill('echo mended');
  await dialog.getByText('Runs again').waitFor();
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('button', { name: 'Apply the result' }).waitFor();
  const run = await workbench.client.run(id);
  expect(run.ok && [run.value.status, run.value.plan.revision]).toEqual(['succeeded', 2]);
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('[WB61] a run that stands still is forked into a new one, and has a report', async () => {
  const { id } = await workbench.launch(FAILING);
  const page = await workbench.open(`/runs/${id}`);
  await page.getByText('fail failed').waitFor();
  const report = await page.getByRole('link', { name: 'Report' }).getAttribute('href');
  expect((await page.request.get(new URL(report ?? '', page.url()).href)).status()).toBe(200);
  await page.getByRole('button', { name: 'Fork' }).click();
  const dialog = page.getByRole('dialog', { name: 'Fork' });
  await dialog.getByText('Kept').waitFor();
  await dialog.getByRole('button', { name: 'Begin the new run' }).click();
  await page.waitForURL((url) => url.pathname.startsWith('/runs/') && !url.pathname.endsWith(id));
});

test('[WB10] a decision is a choice and then a button, with the form that the plan wants, and the run goes on', async () => {
  const id = await launched();
  const page = await openRun(id);
  const card = page.getByRole('article', { name: /^Request/ });
  await card.getByText('a.txt').first().waitFor();
  expect(await card.getByRole('button', { name: 'Choose first' }).isDisabled()).toBe(true);
  for (const key of ['a', 'y', 'Enter', ' ']) await page.keyboard.press(key);
  expect((await workbench.client.approvals('open')).ok).toBe(true);
  await card.getByRole('radio', { name: 'Approve' }).check();
  await card.getByLabel('version').fill('1.2.3');
  await card.getByRole('button', { name: 'Record approval' }).click();
  await page.getByRole('heading', { name: /waits for a decision/ }).waitFor({ state: 'detached' });
  const run = await workbench.client.run(id);
  const ship = run.ok ? run.value.steps.find((step) => step.id === 'ship') : undefined;
  expect(ship).toMatchObject({ status: 'succeeded', outputs: { version: '1.2.3' } });
});

test('[WB10] a page that is behind cannot decide on what somebody else has decided meanwhile', async () => {
  const id = await launched();
  const theirs = await openRun(id);
  await theirs.getByRole('link', { name: 'Page of the request' }).click();
  await theirs.getByRole('radio', { name: 'Approve' }).check();
  const mine = await workbench.open(new URL(theirs.url()).pathname);
  await mine.getByRole('radio', { name: 'Reject' }).check();
  await mine.getByLabel(/Reason/).fill('not yet');
  await mine.route('**/api/v1/approvals**', (route) =>
    route.request().method() === 'GET' ? route.abort() : route.continue(),
  );
  await theirs.getByLabel('version').fill('2');
  await theirs.getByRole('button', { name: 'Record approval' }).click();
  await theirs.getByText('This request is approved').waitFor();
  await mine.getByRole('button', { name: 'Record rejection' }).click();
  await mine
    .getByRole('alert')
    .getByText(/not open|approved/)
    .waitFor();
  const run = await workbench.client.run(id);
  const ship = run.ok ? run.value.steps.find((step) => step.id === 'ship') : undefined;
  expect(ship?.status).toBe('succeeded');
});

test('[WB11] what an action would do is shown before it is done, at an address, and closed without effect', async () => {
  const id = await launched();
  const page = await openRun(id, '?do=cancel');
  const dialog = page.getByRole('dialog', { name: 'Cancel the run' });
  await dialog
    .getByRole('region', { name: 'What it would do' })
    .getByText('canceled')
    .first()
    .waitFor();
  const button = dialog.getByRole('button', { name: 'Cancel the run' });
  expect(await button.isDisabled()).toBe(true);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  expect(new URL(page.url()).searchParams.get('do')).toBeNull();
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await dialog.getByLabel(/Reason/).fill('not wanted any more');
  await button.click();
  await page.getByText('The run is canceled').waitFor({ state: 'attached' });
});

test('[WB11] a failed step is tried again from its dialog', async () => {
  const id = await launched();
  const page = await openRun(id, '?step=fail');
  await page.getByRole('complementary').getByRole('button', { name: 'Try again' }).click();
  const dialog = page.getByRole('dialog', { name: 'Try again: fail' });
  await dialog.getByText('Runs again').waitFor();
  await dialog.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('button', { name: /Attempt 2/ }).waitFor();
});

test('[WB12] the log is filtered by the server, and goes on as things happen', async () => {
  const id = await launched();
  const page = await openRun(id, '?view=log');
  const log = page.getByRole('log');
  await log.getByText('waits for a decision').waitFor();
  await page.getByRole('button', { name: 'Errors only' }).click();
  await log.getByText('waits for a decision').waitFor({ state: 'detached' });
  await log.getByText('broken').waitFor();
  await page.getByRole('button', { name: 'Errors only' }).click();
  const paused = await workbench.client.pause(id, { reason: 'lunch' });
  expect(paused.ok).toBe(true);
  await log.getByText('lunch').waitFor();
  expect(await log.getByText('lunch').count()).toBe(1);
});

test.each([
  ['light', ''],
  ['dark', ''],
  ['light', '?view=graph&step=work'],
  ['dark', '?view=log&step=fail'],
] as const)('[WB55] axe finds nothing on the page of a run, %s %s', async (theme, query) => {
  const page = await openRun(await launched(), query, { theme });
  expect(await accessibilityFaults(page)).toEqual([]);
});

test('[WB56] the page of a run fits a phone', async () => {
  const id = await launched();
  for (const query of ['', '?view=log', '?view=graph', '?step=fail']) {
    const page = await openRun(id, query, { width: 390 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  }
});
