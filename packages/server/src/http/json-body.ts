/** Bodies of requests: JSON, small, and read only as far as that. */
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';
import type { Problem } from './problem.ts';

export const MAX_BODY_BYTES = 1_048_576;

export interface JsonBody {
  readonly text: string;
  readonly value: unknown;
}

/** Problems: BodyNotJson, BodyTooLarge, BodyMalformed. */
export async function readJsonBody(request: Request): Promise<Result<JsonBody, Problem>> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    return err({
      error: 'BodyNotJson',
      detail: `The content type is ${type === '' ? 'missing' : JSON.stringify(type)}.`,
      hint: 'Send JSON with `Content-Type: application/json`.',
    });
  }
  const bytes = await readAtMost(request);
  if (bytes === null) {
    return err({
      error: 'BodyTooLarge',
      detail: `A body has at most ${MAX_BODY_BYTES} bytes.`,
      hint: 'Move long prompts of a plan to files of their own.',
    });
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return ok({ text, value: JSON.parse(text) as unknown });
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof TypeError)) throw error;
    return err({
      error: 'BodyMalformed',
      detail: error instanceof SyntaxError ? error.message : 'The body is not UTF-8.',
      hint: 'Send one JSON object.',
    });
  }
}

async function readAtMost(request: Request): Promise<Uint8Array | null> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return null;
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body as ReadableStream<Uint8Array>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
