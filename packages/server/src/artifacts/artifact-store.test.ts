import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createArtifactStore } from './artifact-store.ts';
import type { ArtifactStore } from './artifact-store.ts';

const BYTES = new TextEncoder().encode('{"pct":80}\n');
const DIGEST = createHash('sha256').update(BYTES).digest('hex');

let folder: string;
let store: ArtifactStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ccdash-artifacts-'));
  store = createArtifactStore(join(folder, 'artifacts'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function filesKept(): readonly string[] {
  return readdirSync(join(folder, 'artifacts'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name);
}

describe('artifacts', () => {
  test('[EN16] are kept by their digest, for their owner alone', async () => {
    const kept = await store.keep('out/coverage.json', BYTES);
    expect(kept).toEqual({
      ok: true,
      value: {
        name: 'out/coverage.json',
        sha256: DIGEST,
        bytes: BYTES.byteLength,
        mediaType: 'application/json',
      },
    });
    expect(readFileSync(store.pathOf(DIGEST))).toEqual(Buffer.from(BYTES));
    expect(statSync(store.pathOf(DIGEST)).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'artifacts')).mode & 0o777).toBe(0o700);
  });

  test('[EN16] of the same bytes are one file, also when they come at once', async () => {
    const names = Array.from({ length: 8 }, (_, at) => `copy-${String(at)}.txt`);
    const kept = await Promise.all(names.map((name) => store.keep(name, BYTES)));
    expect(kept.map((one) => one.ok && one.value.sha256)).toEqual(names.map(() => DIGEST));
    expect(filesKept()).toEqual([DIGEST]);
  });

  test('[EN16] that were half written are written again', async () => {
    mkdirSync(join(store.pathOf(DIGEST), '..'), { recursive: true });
    writeFileSync(store.pathOf(DIGEST), BYTES.subarray(0, 4));
    await store.keep('a.json', BYTES);
    expect(readFileSync(store.pathOf(DIGEST))).toEqual(Buffer.from(BYTES));
  });

  test.each([
    ['a.JSON', 'application/json'],
    ['report.html', 'text/html'],
    ['trace.bin', 'application/octet-stream'],
    ['.json', 'application/octet-stream'],
    ['no-ending', 'application/octet-stream'],
  ])('[EN16] have a media type by their name: %s', async (name, mediaType) => {
    expect(await store.keep(name, BYTES)).toMatchObject({ value: { name, mediaType } });
  });

  test('[EN16] that the disk refuses are a failure with what to do, and leave nothing', async () => {
    writeFileSync(join(folder, 'artifacts'), 'a file in the way');
    const refused = await store.keep('a.txt', BYTES);
    expect(refused).toMatchObject({ ok: false, error: { code: 'artifact_not_kept' } });
    expect(refused.ok ? '' : refused.error.message).toContain('a.txt');
    rmSync(join(folder, 'artifacts'));
    expect((await store.keep('a.txt', BYTES)).ok).toBe(true);
    expect(filesKept()).toEqual([DIGEST]);
  });
});
