/** Keeps what a program prints: redacted, whole, in one file, in the order in which it was printed. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { promisify } from 'node:util';

import type { OutputSummary } from '@ccdash/core';
import { createOutputTail } from './output-tail.ts';
import type { Redaction } from './redaction.ts';

const run = promisify(execFile);

/** A pipe of the system: both ends are files. */
export interface OutputPipe {
  readonly readFd: number;
  /** To be given to the program, then closed here. */
  readonly writeFd: number;
}

/**
 * A pipe for stdout and stderr together. A real one, not the socket that a spawned child gets by default: programs can
 * open `/dev/stderr` on it, and what was printed first comes first.
 */
export async function createOutputPipe(path: string): Promise<OutputPipe> {
  await run('mkfifo', ['-m', '600', path]);
  // Without O_NONBLOCK it would wait for a writer.
  const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writeFd = openSync(path, constants.O_WRONLY);
  rmSync(path);
  return { readFd, writeFd };
}

export interface OutputRecording {
  /** Resolves when all writers of the pipe are gone and everything is on disk. Rejects when the disk refuses. */
  readonly done: Promise<OutputSummary>;
  /** Stops reading, for writers that have escaped. */
  cut(): void;
}

/** Memory stays bounded: the pipe is not read on while the disk is busy. */
export function recordOutput(readFd: number, path: string, redaction: Redaction): OutputRecording {
  const pipe = new Socket({ fd: readFd, readable: true, writable: false });
  const stop = new AbortController();
  return {
    done: record(pipe, path, redaction, stop.signal),
    cut: () => stop.abort(),
  };
}

async function record(
  pipe: Socket,
  path: string,
  redaction: Redaction,
  stop: AbortSignal,
): Promise<OutputSummary> {
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  const tail = createOutputTail();
  const stream = redaction.stream();
  let bytes = 0;
  const write = async (chunk: Buffer): Promise<void> => {
    hash.update(chunk);
    tail.push(chunk);
    bytes += chunk.length;
    let written = 0;
    while (written < chunk.length) {
      written += (await file.write(chunk, written)).bytesWritten;
    }
  };
  stop.addEventListener('abort', () => pipe.push(null));
  try {
    for await (const chunk of pipe) await write(stream.push(chunk as Buffer));
    await write(stream.end());
    await file.datasync();
  } finally {
    pipe.destroy();
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex'), tail: tail.lines() };
}
