/** The output of an attempt as a file to take away: whole, a range of it, or all that comes until the attempt has ended. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Problem } from './problem.ts';

const CHUNK_BYTES = 65_536;
/** How soon bytes that have come are seen by who follows. */
const LOOK_MS = 100;

/**
 * What `path` holds now; an output that nothing was written to yet is empty. A NUL byte near its beginning makes it
 * `application/octet-stream`. A Range header of several ranges, or of another unit, is taken for none.
 * `isOver` follows it: the answer ends once that is true and everything has been sent; of a range its first byte counts,
 * which may be still to come. Problems: RangeNotSatisfiable.
 */
export async function outputToResponse(
  path: string,
  range: string | null,
  isOver: (() => boolean) | null,
): Promise<Response | Problem> {
  if (isOver !== null) {
    const [, first = '0'] = /^bytes=(\d{1,15})-/.exec(range ?? '') ?? [];
    const headers = {
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
    };
    return new Response(followOf(path, Number(first), isOver), { headers });
  }
  const file = await openFile(path);
  if (file === null)
    return new Response('', { headers: headersOf('text/plain; charset=utf-8', 0) });
  let isHandedOver = false;
  try {
    const { size } = await file.stat();
    const type = (await isBinary(file)) ? 'application/octet-stream' : 'text/plain; charset=utf-8';
    const part = range === null ? null : rangeOf(range, size);
    if (part === 'none') {
      return {
        error: 'RangeNotSatisfiable',
        detail: `The output has ${size} bytes.`,
        hint: 'Ask for bytes within it.',
        headers: { 'content-range': `bytes */${size}` },
      };
    }
    const { start, end } = part ?? { start: 0, end: size };
    const headers = headersOf(type, end - start);
    if (part !== null) headers['content-range'] = `bytes ${start}-${end - 1}/${size}`;
    isHandedOver = true;
    return new Response(streamOf(file, start, end), { status: part === null ? 200 : 206, headers });
  } finally {
    if (!isHandedOver) await file.close();
  }
}

function headersOf(type: string, length: number): Record<string, string> {
  return {
    'content-type': type,
    'content-length': String(length),
    'content-disposition': 'attachment; filename="output.txt"',
    'accept-ranges': 'bytes',
  };
}

async function openFile(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

async function isBinary(file: FileHandle): Promise<boolean> {
  const { buffer, bytesRead } = await file.read(new Uint8Array(8192), 0, 8192, 0);
  return buffer.subarray(0, bytesRead).includes(0);
}

/** `end` is exclusive. null: no range that counts; `none`: none of the bytes asked for exists. */
function rangeOf(
  range: string,
  size: number,
): { readonly start: number; readonly end: number } | 'none' | null {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range) ?? [];
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'none' : { start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return null;
  return start >= size ? 'none' : { start, end };
}

function streamOf(file: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let position = start;
  return new ReadableStream({
    pull: async (controller) => {
      const wanted = Math.min(CHUNK_BYTES, end - position);
      const { buffer, bytesRead } = await file.read(new Uint8Array(wanted), 0, wanted, position);
      position += bytesRead;
      if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
      if (bytesRead === 0 || position >= end) {
        await file.close();
        controller.close();
      }
    },
    cancel: () => file.close(),
  });
}

/** Bytes from `start` on as they are written, at the pace of who reads. */
function followOf(path: string, start: number, isOver: () => boolean): ReadableStream<Uint8Array> {
  let position = start;
  let isWanted = true;
  return new ReadableStream({
    pull: async (controller) => {
      while (isWanted) {
        // Asked before the file is read: what is written last is not missed.
        const isLast = isOver();
        const bytes = await bytesAt(path, position);
        if (bytes.length > 0) {
          position += bytes.length;
          controller.enqueue(bytes);
          return;
        }
        if (isLast) {
          controller.close();
          return;
        }
        await wait(LOOK_MS);
      }
    },
    cancel: () => {
      isWanted = false;
    },
  });
}

async function bytesAt(path: string, position: number): Promise<Uint8Array> {
  const file = await openFile(path);
  if (file === null) return new Uint8Array();
  try {
    const bytes = new Uint8Array(CHUNK_BYTES);
    const { bytesRead } = await file.read(bytes, 0, CHUNK_BYTES, position);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
