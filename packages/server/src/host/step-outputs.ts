/** Reads what a command left in the file `$CCDASH_OUTPUT`: `key=value` lines, or one JSON object. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

import { err, ok } from '@ccdash/core';
import type { Failure, JsonObject, Result } from '@ccdash/core';
import { isErrno } from '../base/process-identity.ts';

const MOST_BYTES = 1024 * 1024;
const KEY = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** No file, or an empty one, is no outputs. Errors: Failure `invalid_output`, with the line where there is one. */
export function readStepOutputs(path: string): Result<JsonObject, Failure> {
  let descriptor: number;
  try {
    // The program made it: it may be a link to a file it may not read itself, or a pipe that never ends.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ok({});
    if (isErrno(error, 'ELOOP', 'ENXIO', 'EACCES')) return invalid('it is not a regular file');
    throw error;
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) return invalid('it is not a regular file');
    if (stats.size > MOST_BYTES) return invalid(`it is larger than ${MOST_BYTES} bytes`);
    const bytes = Buffer.alloc(stats.size);
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    return parseStepOutputs(bytes.subarray(0, length));
  } finally {
    closeSync(descriptor);
  }
}

export function parseStepOutputs(bytes: Uint8Array): Result<JsonObject, Failure> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return invalid('it is not UTF-8 text');
    throw error;
  }
  return text.trimStart().startsWith('{') ? parseObject(text) : parseLines(text);
}

function parseObject(text: string): Result<JsonObject, Failure> {
  try {
    return ok(JSON.parse(text) as JsonObject);
  } catch (error) {
    if (error instanceof SyntaxError) return invalid(`it is not valid JSON: ${error.message}`);
    throw error;
  }
}

function parseLines(text: string): Result<JsonObject, Failure> {
  const outputs = new Map<string, string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/\r$/, '');
    if (line === '') continue;
    const equals = line.indexOf('=');
    if (equals < 0) return invalid(`line ${index + 1} has no "=": write key=value`);
    const key = line.slice(0, equals);
    if (!KEY.test(key)) {
      return invalid(
        `line ${index + 1}: ${JSON.stringify(key.slice(0, 80))} is no name for an output (letters, digits, "_" and "-")`,
      );
    }
    outputs.set(key, line.slice(equals + 1));
  }
  return ok(Object.fromEntries(outputs));
}

function invalid(why: string): Result<never, Failure> {
  return err({
    code: 'invalid_output',
    message: `the file $CCDASH_OUTPUT cannot be used: ${why}`,
    hint: 'write key=value lines, or one JSON object, to $CCDASH_OUTPUT',
  });
}
