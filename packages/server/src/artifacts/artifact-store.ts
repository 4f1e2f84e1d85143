/** Bytes kept by their SHA-256, written once and never changed. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { err, ok } from '@ccdash/core';
import type { ArtifactRef, Failure, Result } from '@ccdash/core';

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.txt': 'text/plain',
  '.log': 'text/plain',
  '.html': 'text/html',
  '.xml': 'application/xml',
  '.csv': 'text/csv',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
};

export interface ArtifactStore {
  /** Durable when it resolves; the same bytes are kept once. Errors: Failure `artifact_not_kept`, of the disk. */
  keep(name: string, bytes: Uint8Array): Promise<Result<ArtifactRef, Failure>>;
  /** Absolute path of the bytes with this digest (64 hex digits), whether or not they are there. */
  pathOf(sha256: string): string;
}

export function createArtifactStore(dir: string): ArtifactStore {
  const pathOf = (sha256: string): string => join(dir, sha256.slice(0, 2), sha256);
  return {
    pathOf,
    keep: async (name, bytes) => {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const mediaType = MEDIA_TYPES[extname(name).toLowerCase()] ?? 'application/octet-stream';
      const path = pathOf(sha256);
      try {
        if (!(await isKept(path, bytes.byteLength))) await write(path, bytes);
      } catch (error) {
        if (error instanceof Error && 'syscall' in error) return err(notKept(name, error));
        throw error;
      }
      return ok({ name, sha256, bytes: bytes.byteLength, mediaType });
    },
  };
}

async function isKept(path: string, size: number): Promise<boolean> {
  try {
    return (await stat(path)).size === size;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  // The name as well, and that of the folder, in case it is new.
  for (const parent of [folder, dirname(folder)]) await sync(parent);
}

async function sync(folder: string): Promise<void> {
  const opened = await open(folder);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

function notKept(name: string, error: Error): Failure {
  return {
    code: 'artifact_not_kept',
    message: `the artifact ${name} could not be kept: ${error.message}`,
    hint: 'make room on the disk or mend it, then retry the step',
  };
}
