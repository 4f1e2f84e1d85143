/** Copies the output of an attempt piece by piece: however long it is, only a piece of it is held. */
import { setTimeout as wait } from 'node:timers/promises';
import { err, ok } from '@ccdash/api/client';
import type { Client, ClientError, Result } from '@ccdash/api/client';

export interface CopiedOutput {
  readonly client: Pick<Client, 'output' | 'run'>;
  readonly runId: string;
  readonly step: string;
  readonly attempt: number;
  /** Goes on until the attempt has ended. */
  readonly isFollowed: boolean;
  readonly signal: AbortSignal;
  readonly write: (bytes: Uint8Array) => Promise<void>;
}

const POLL_MS = 300;

/** Resolves at the end of the output, or once `signal` aborts. */
export async function copyOutput(copied: CopiedOutput): Promise<Result<void, ClientError>> {
  const { client, runId, step, attempt, isFollowed, signal, write } = copied;
  for (let from = 0; ;) {
    // Asked before reading, so that what the attempt wrote last is not missed.
    const over = isFollowed ? await hasEnded(copied) : ok(true);
    if (!over.ok) return over;
    const output = await client.output(runId, step, attempt, from);
    if (!output.ok) return output;
    try {
      for await (const bytes of output.value) {
        if (signal.aborted) return ok(undefined);
        from += bytes.length;
        await write(bytes);
      }
    } catch (error) {
      // What fetch throws when the connection breaks.
      if (!(error instanceof TypeError)) throw error;
      return err({ error: 'Unreachable', detail: error.message });
    }
    if (over.value || signal.aborted) return ok(undefined);
    await wait(POLL_MS);
  }
}

async function hasEnded({
  client,
  runId,
  step,
  attempt,
}: CopiedOutput): Promise<Result<boolean, ClientError>> {
  const run = await client.run(runId);
  if (!run.ok) return run;
  const attempts = run.value.steps.find(({ id }) => id === step)?.attempts;
  return ok(attempts?.[attempt - 1]?.status !== 'running');
}

export interface LineReader {
  /** The lines that `bytes` complete, with their line feeds; pieces of a line that is far too long. */
  push(bytes: Uint8Array): readonly string[];
  /** What is left, without a line feed. */
  end(): readonly string[];
}

const MAX_LINE_LENGTH = 65_536;

export function createLineReader(): LineReader {
  const decoder = new TextDecoder();
  let rest = '';

  function take(text: string): readonly string[] {
    const lines = (rest + text).split(/(?<=\n)/);
    const last = lines.at(-1) ?? '';
    const isOpen = !last.endsWith('\n') && last.length <= MAX_LINE_LENGTH;
    rest = isOpen ? last : '';
    return isOpen ? lines.slice(0, -1) : lines;
  }

  return {
    push: (bytes) => take(decoder.decode(bytes, { stream: true })),
    end: () => [...take(decoder.decode()), rest].filter((line) => line !== ''),
  };
}
