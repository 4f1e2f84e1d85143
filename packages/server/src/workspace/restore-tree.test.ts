/** Random work on a tree, kept and set back, against what the tree was. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Checkpoint } from '@ccdash/core';
import { createWorkspaceFixture, listing, valueOf } from '../../test/workspace-fixture.ts';
import type { WorkspaceFixture } from '../../test/workspace-fixture.ts';

// Many processes of git each, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const seed = Number(process.env['CCDASH_SEED'] ?? Date.now() % 2 ** 31);
const ROUNDS = Number(process.env['CCDASH_ROUNDS'] ?? 15);
/** Few names, so that files, folders and links often want the same place. Bytes as Latin-1. */
const NAMES = ['a', 'b', 'c d', '\xc3\xa9', '\xff', 'node_modules', '.gitignore', 'x\ny'];

let fixture: WorkspaceFixture;
beforeEach(() => {
  fixture = createWorkspaceFixture({ 'a/a': '1', 'a/b': '2', b: '3', '.gitignore': 'a\n' });
});
afterEach(() => fixture.close());

test(`[WS13] [WS80] any tree comes back byte for byte, empty folders too (CCDASH_SEED=${seed})`, async () => {
  const random = createRandom(seed);
  const { workspaces } = fixture;
  const base = await fixture.start();
  const tree = workspaces.pathOf('run_1');
  // Folders of packages are not kept; everything else is.
  const look = (withFolders = true): Readonly<Record<string, string>> =>
    listing(tree, { without: ['.git', 'node_modules'], withFolders });
  const kept: { checkpoint: Checkpoint; files: Readonly<Record<string, string>> }[] = [
    { checkpoint: base, files: look() },
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    edit(tree, random, false);
    const parent = kept.at(-1)!.checkpoint;
    const made = valueOf(await workspaces.checkpoint('run_1', parent, `round/${round}`));
    kept.push({ checkpoint: made, files: look() });
    edit(tree, random, true);
    const before = look(false);
    const target = kept[Math.floor(random() * kept.length)]!;
    const aside = valueOf(await workspaces.restore('run_1', target.checkpoint, `round/${round}`));
    const after = look();
    // Folders in which packages were installed since then stay, for those survive.
    const stays = Object.entries(after).filter(([path]) => !holdsPackages(tree, path));
    expect({ ...target.files, ...Object.fromEntries(stays) }, `round ${round}`).toEqual(
      target.files,
    );
    expect(after, `round ${round}`).toMatchObject(target.files);
    if (aside === null) continue;
    // What was set aside comes back as well, but for pipes, which no commit can hold.
    valueOf(await workspaces.restore('run_1', aside, `back/${round}`));
    const withoutPipes = Object.entries(before).filter(([, what]) => what !== 'special');
    expect(look(false), `round ${round}, set aside`).toEqual(Object.fromEntries(withoutPipes));
  }
});

function edit(tree: string, random: () => number, withPipes: boolean): void {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  for (let i = 0; i < 12; i += 1) {
    const path = Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(NAMES)).join('/');
    const file = Buffer.from(`${tree}/${path}`, 'latin1');
    const act = random();
    // Never through a link: what it leads to is not ours.
    if (isBehindLink(tree, path)) continue;
    if (act < 0.15) remove(file);
    else if (act < 0.25) move(file, Buffer.from(`${tree}/${pick(NAMES)}`, 'latin1'));
    else {
      makeWay(tree, path);
      if (act < 0.75) writeFileSync(file, pick(['', '1', '2', 'x\r\n', `${random()}`]));
      else if (act < 0.85) symlinkSync(pick(['a', '../a', '/nonexistent/place', 'none']), file);
      else if (act < 0.9) mkdirSync(file);
      else if (withPipes && lstatSync(`${tree}/pipe`, { throwIfNoEntry: false }) === undefined)
        execFileSync('sh', ['-c', 'cd "$1" && mkfifo pipe', 'sh', tree]);
      const isFile = lstatSync(file, { throwIfNoEntry: false })?.isFile() === true;
      if (isFile) chmodSync(file, pick([0o644, 0o755, 0o600, 0o444]));
    }
  }
}

function holdsPackages(tree: string, path: string): boolean {
  const folder = Buffer.from(`${tree}/${path}`, 'latin1');
  if (!lstatSync(folder).isDirectory()) return false;
  return readdirSync(folder, 'latin1').some(
    (name) => name === 'node_modules' || holdsPackages(tree, `${path}/${name}`),
  );
}

function isBehindLink(tree: string, path: string): boolean {
  for (const folder of foldersAbove(tree, path)) {
    const stats = lstatSync(folder, { throwIfNoEntry: false });
    if (stats?.isDirectory() !== true) return stats?.isSymbolicLink() ?? false;
  }
  return false;
}

/** Makes the folders above `path`, in place of files there, and leaves nothing at it. */
function makeWay(tree: string, path: string): void {
  for (const folder of foldersAbove(tree, path)) {
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) continue;
    rmSync(folder, { force: true });
    mkdirSync(folder);
  }
  rmSync(Buffer.from(`${tree}/${path}`, 'latin1'), { recursive: true, force: true });
}

/** The nearest to the root first. */
function foldersAbove(tree: string, path: string): readonly Buffer[] {
  const segments = path.split('/');
  return segments
    .slice(1)
    .map((_, i) => Buffer.from([tree, ...segments.slice(0, i + 1)].join('/'), 'latin1'));
}

function remove(file: Buffer): void {
  if (existsSync(file)) rmSync(file, { recursive: true });
}

function move(from: Buffer, to: Buffer): void {
  const source = from.toString('latin1');
  const target = to.toString('latin1');
  const isThere = existsSync(from);
  // Not into itself, and not over what it lies in.
  if (!isThere || source === target || `${target}/`.startsWith(`${source}/`)) return;
  if (source.startsWith(`${target}/`)) return;
  rmSync(to, { recursive: true, force: true });
  renameSync(from, to);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function createRandom(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
