/**
 * Pictures of every page, light and dark and on a phone, of a real server with real runs in every state. They are shown
 * in the README and in `docs/pages.md`: `npm run screenshots` writes them to `docs/screenshots/`.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { openWorkbench } from '../packages/web/test/workbench.ts';
import type { Workbench } from '../packages/web/test/workbench.ts';
import { repository } from './setup.mjs';

const TARGET = join(repository, 'docs/screenshots');
const PROJECT = join(repository, 'examples/demo-project');
const PHONE = 390;
const ON_PHONES: ReadonlySet<string> = new Set([
  'feature',
  'run',
  'run-failed',
  'approval',
  'audit',
]);
const SETTLE_MS = 700;

const RELEASE = `version: 1
name: Release 1.4
feature: rate-limiting-v1
scope: { tools: [read, exec], write: ['**'] }
concurrency: 4
budget: { usd: 2, time: 1h }
steps:
  - { id: install, run: 'echo "added 212 packages in 2s"; sleep 1' }
  - { id: unit, needs: [install], run: 'echo "48 tests passed"; sleep 1' }
  - { id: types, needs: [install], run: 'echo "no errors"; sleep 0.4' }
  - { id: lint, needs: [install], run: 'echo "no problems"; sleep 0.6' }
  - { id: changelog, needs: [unit, types, lint], run: 'printf "# 1.4\\n\\n- A burst at the edge of a window is counted once.\\n" > CHANGELOG.md' }
  - id: gate
    needs: [changelog]
    validate: [{ exit: { step: unit, equals: 0 } }, { noSecrets: true }]
  - id: go
    needs: [gate]
    approve: Release 1.4 to everybody?
    show: [diff, unit.output]
    form: { version: { type: string, required: true } }
  - { id: tag, needs: [go], run: 'git tag v1.4' }
  - { id: push, needs: [tag], run: 'git push origin v1.4', risk: high }
`;
const MIGRATION = `version: 1
name: Migrate the counters
feature: rate-limiting-v1
scope: { tools: [read, exec], write: ['**'] }
steps:
  - { id: export, run: 'echo "10240 rows"; mkdir -p out; seq 1 40 > out/rows.txt' }
  - { id: convert, needs: [export], run: 'echo "row 31: limit is not a number" >&2; exit 1' }
  - { id: check, needs: [convert], run: 'true' }
`;

/** What each picture shows: where, and what must be there before it is taken. */
type Shot = readonly [name: string, path: string, ready: (page: Page) => Promise<void>];

async function shots(workbench: Workbench): Promise<readonly Shot[]> {
  const phase = await workbench.launch(
    readFileSync(join(PROJECT, '.ccdash/plans/phase-2.yaml'), 'utf8'),
  );
  const migration = await workbench.launch(MIGRATION);
  const release = await workbench.launch(RELEASE);
  const settled = async (id: string): Promise<void> => {
    for (;;) {
      const run = await workbench.client.run(id);
      if (run.ok && !['queued', 'running'].includes(run.value.status)) return;
      await wait(100);
    }
  };
  for (const { id } of [phase, migration, release]) await settled(id);
  const open = await workbench.client.approvals('open');
  if (!open.ok) throw new Error(open.error.detail);
  const request = open.value.find(({ runId }) => runId === release.id)?.id ?? '';
  const heading = async (page: Page): Promise<void> => {
    await page.locator('h1, h2').first().waitFor({ state: 'attached' });
    // The network is never idle: events come over a connection that stays open.
    await wait(SETTLE_MS);
  };
  const run = `/runs/${release.id}`;
  return [
    ['features', '/features', heading],
    ['feature', '/features/rate-limiting-v1', heading],
    ['orchestration', '/features/rate-limiting-v1?tab=orchestration', heading],
    ['runs', '/runs', heading],
    ['run', run, heading],
    ['run-graph', `${run}?view=graph`, heading],
    ['run-log', `/runs/${phase.id}?view=log`, heading],
    ['run-step', `/runs/${phase.id}?step=implement`, heading],
    ['run-failed', `/runs/${migration.id}?step=convert`, heading],
    ['run-retry', `/runs/${migration.id}?do=retry&at=convert`, heading],
    ['approvals', '/approvals', heading],
    ['approval', `/approvals/${request}`, heading],
    ['audit', '/audit', heading],
    ['insights', '/insights', heading],
    ['adapters', '/adapters', heading],
    ['policy', '/policy', heading],
    ['people', '/people', heading],
  ];
}

async function main(): Promise<void> {
  process.env['CCDASH_SCRIPTED_MODEL'] ??= join(repository, 'examples/models/phase-2.yaml');
  const workbench = await openWorkbench(filesBelow(PROJECT));
  try {
    const all = await shots(workbench);
    rmSync(TARGET, { recursive: true, force: true });
    mkdirSync(TARGET, { recursive: true });
    for (const [look, options] of [
      ['light', { theme: 'light' }],
      ['dark', { theme: 'dark' }],
      ['phone', { theme: 'light', width: PHONE }],
    ] as const) {
      const page = await workbench.open('/', options);
      for (const [name, path, ready] of all) {
        if (look === 'phone' && !ON_PHONES.has(name)) continue;
        await page.goto(`${workbench.url}${path}`);
        await ready(page);
        await page.screenshot({ path: join(TARGET, `${name}-${look}.png`) });
        process.stdout.write(`docs/screenshots/${name}-${look}.png\n`);
      }
      await page.context().close();
    }
  } finally {
    await workbench.close();
  }
}

function filesBelow(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    files
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );
}

await main();
