/** A real browser before a real server: Chromium, the command line as people start it, a git repository of its own. */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { createClient } from '@ccdash/api/client';
import type { Client, RunView } from '@ccdash/api/client';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { buildWeb } from '../../../scripts/build-web.ts';

const repository = join(import.meta.dirname, '../../..');
const CLI = join(repository, 'packages/server/bin/ccdash.mjs');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export interface Workbench {
  readonly url: string;
  readonly client: Client;
  readonly projectDir: string;
  /** A page that is logged in; `path` is where it stands. */
  open(path: string, options?: OpenOptions): Promise<Page>;
  write(path: string, text: string): void;
  launch(plan: string): Promise<RunView>;
  /** Ends the server, has something done meanwhile, and starts it again. */
  restart(meanwhile: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
}

export async function openWorkbench(
  files: Readonly<Record<string, string>> = {},
): Promise<Workbench> {
  const executablePath = BROWSERS.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error('No Chromium is installed; install one: apt-get install chromium');
  }
  await buildWeb(join(repository, 'packages/server/dist/assets/web'));
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'ccdash-web-')));
  const projectDir = join(root, 'project');
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(projectDir, path)), { recursive: true });
    writeFileSync(join(projectDir, path), text);
  };
  write('readme.md', 'hello\n');
  for (const [path, text] of Object.entries(files)) write(path, text);
  const git = (...args: readonly string[]): void => {
    const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com'];
    execFileSync('git', [...identity, ...args], { cwd: projectDir, stdio: 'ignore' });
  };
  git('init', '-q', '-b', 'main');
  git('add', '.');
  git('commit', '-qm', 'one');
  const env = { ...process.env, CCDASH_HOME: join(root, 'state') };
  const ccdash = (...args: readonly string[]): string =>
    execFileSync(process.execPath, [CLI, ...args], { cwd: projectDir, env, encoding: 'utf8' });
  const serve = async (): Promise<string> => {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const server = spawn(process.execPath, [CLI, 'serve', '--json'], {
      ...{ cwd: projectDir, env, stdio: [...stdio] },
    });
    return (JSON.parse(await firstLine(server)) as { readonly url: string }).url;
  };
  const url = await serve();
  const [folder = ''] = readdirSync(env.CCDASH_HOME);
  const token = readFileSync(join(env.CCDASH_HOME, folder, 'token'), 'utf8').trim();
  const client = createClient({ baseUrl: url, token });
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  return {
    url,
    client,
    projectDir,
    write,
    open: (path, options) => openPage(browser, client, url, path, options),
    launch: async (plan) => {
      const saved = await client.savePlan(plan, 'plan.yaml');
      if (!saved.ok) throw new Error(JSON.stringify(saved.error));
      const launched = await client.launch(saved.value.id, { revision: saved.value.revision });
      if (!launched.ok) throw new Error(launched.error.detail);
      return launched.value;
    },
    restart: async (meanwhile) => {
      ccdash('stop');
      await meanwhile();
      await serve();
    },
    close: async () => {
      await browser.close();
      ccdash('stop');
      rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function firstLine(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    server.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) resolve(text.split('\n')[0] ?? '');
    });
    server.on('exit', (code) => reject(new Error(`The server ended with ${String(code)}.`)));
  });
}

async function openPage(
  browser: Browser,
  client: Client,
  url: string,
  path: string,
  { theme = 'light', width = 1280 }: OpenOptions = {},
): Promise<Page> {
  const login = await client.createLogin();
  if (!login.ok) throw new Error(login.error.detail);
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height: 900 },
  });
  const page = await context.newPage();
  await page.goto(login.value.url);
  await page.goto(`${url}${path}`);
  return page;
}

/** What axe finds, in words; empty when it finds nothing. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary ?? ''}`),
  );
}
