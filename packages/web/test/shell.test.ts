import { afterAll, beforeAll, expect, test } from 'vitest';
import { accessibilityFaults, openWorkbench } from './workbench.ts';
import type { Workbench } from './workbench.ts';

const PLAN = `version: 1
name: Ship the limits
scope: { tools: [exec], write: ['**'] }
steps:
  - { id: work, argv: ['touch', 'a.txt'] }
  - { id: ship, needs: [work], approve: 'Ship it?' }
`;

let workbench: Workbench;

beforeAll(async () => {
  workbench = await openWorkbench();
});

afterAll(() => workbench.close());

test('[WB53] a run that is launched appears on a page that is open, without a reload', async () => {
  const page = await workbench.open('/runs');
  await page.getByText('No runs yet').waitFor();
  await page.getByText('● live').waitFor();
  await workbench.launch(PLAN);
  await page.getByRole('link', { name: /Ship the limits.*blocked/s }).waitFor();
  await page.getByRole('link', { name: /Approvals.*1 waiting/s }).waitFor();
});

test('[WB62] a page that is open goes on when its server is back, with each entry once', async () => {
  const { id } = await workbench.launch(PLAN);
  const page = await workbench.open(`/runs/${id}?view=log`);
  const waits = page.getByText('waits for a decision', { exact: true });
  await waits.waitFor();
  await page.evaluate(() => Object.assign(globalThis, { neverReloaded: true }));
  await workbench.restart(async () => {
    await page.getByText('● live').waitFor({ state: 'detached' });
  });
  await page.getByText('● live').waitFor();
  const canceled = await workbench.client.cancel(id, { reason: 'enough' });
  expect(canceled.ok).toBe(true);
  const ended = page.locator('strong').getByText('the run is canceled');
  await ended.waitFor();
  expect(await ended.count()).toBe(1);
  expect(await waits.count()).toBe(1);
  expect(await page.evaluate(() => 'neverReloaded' in globalThis)).toBe(true);
});

test('[WB54] without a session the page shows nothing of the project and says how to log in', async () => {
  const page = await workbench.open('/runs');
  await page.context().clearCookies();
  await page.reload();
  await page.getByRole('heading', { name: 'Log in' }).waitFor();
  expect(await page.textContent('body')).not.toContain('Ship the limits');
});

test.each(['light', 'dark'] as const)(
  '[WB55] axe finds nothing in the list of runs, %s',
  async (theme) => {
    const page = await workbench.open('/runs', { theme });
    await page.getByRole('heading', { name: 'Runs' }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
  },
);

test('[WB56] no page is wider than a phone', async () => {
  const page = await workbench.open('/runs', { width: 390 });
  await page.getByRole('heading', { name: 'Runs' }).waitFor();
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
});
