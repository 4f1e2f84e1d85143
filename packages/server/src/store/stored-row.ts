import { hash } from 'node:crypto';
import type { SQLOutputValue } from 'node:sqlite';
import { InvariantError, err, ok } from '@ccdash/core';
import type { NewEvent, Result, StoredEvent } from '@ccdash/core';
import { canonicalJson } from '../base/canonical-json.ts';

/** Version of the envelope around every event. */
const ENVELOPE_VERSION = 1;

const ENVELOPE_KEYS = 'actor,at,data,position,runId,sequence,type,v';

/** What a query selects for recordToRow. */
export const EVENT_COLUMNS = 'position, run_id AS runId, sequence, body, leaf';

/** A row of the table `event`. */
export interface EventRow {
  readonly position: number;
  readonly runId: string | null;
  readonly sequence: number | null;
  readonly body: string;
  readonly leaf: Uint8Array;
}

/** The hash of an entry of the tree, as `leafHash` has it, made in one call: it is made for every row that is read. */
export function bodyToLeaf(body: string): Buffer {
  return hash('sha256', `\0${body}`, 'buffer');
}

/** Validates and upcasts an event whose envelope is sound; `detail` says what is wrong with it. */
export type DecodeEvent = (event: StoredEvent) => Result<StoredEvent, { readonly detail: string }>;

/** An event in the log cannot be read: the file was damaged or changed. Thrown, because no reader can go on. */
export class CorruptEventError extends Error {
  override readonly name = 'CorruptEventError';
  readonly type = 'CorruptEvent';
  /** 0-based. */
  readonly position: number;
  readonly detail: string;

  constructor(position: number, detail: string) {
    super(
      `The event at position ${position} cannot be read: ${detail}. ` +
        'Verify the log to see what else is wrong, and restore it from a backup.',
    );
    this.position = position;
    this.detail = detail;
  }
}

/** An event in canonical form, but for its place in the log. */
export type EventBody = (position: number, sequence: number | null) => string;

/**
 * The canonical JSON (RFC 8785) of an event as a function of its place, so that what cannot be written is found
 * before anything is.
 * Errors: throws InvariantError for what is no event, and for what JSON cannot say (NaN, a lone surrogate, a cycle).
 * Rules:  LG4
 */
export function eventToBody(event: NewEvent, runId: string | null): EventBody {
  const { actor, at, data, type } = event;
  const problem = fieldProblem(event);
  if (problem !== null) throw new InvariantError(`an event cannot be written: ${problem}`);
  const head = `{"actor":${toCanonical(actor)},"at":${toCanonical(at)},"data":${toCanonical(data)}`;
  const run = `"runId":${toCanonical(runId)}`;
  const tail = `"type":${toCanonical(type)},"v":${ENVELOPE_VERSION}}`;
  return (position, sequence) =>
    `${head},"position":${position},${run},"sequence":${sequence},${tail}`;
}

function toCanonical(value: unknown): string {
  let text: string | undefined;
  try {
    text = canonicalJson(value);
  } catch (error) {
    throw new InvariantError(`an event cannot be written: ${String(error)}`);
  }
  if (text === undefined) throw new InvariantError(`an event cannot be written: ${typeof value}`);
  return text;
}

/** A row as SQLite hands it out; its column types hold because the table is STRICT. */
export function recordToRow(record: Record<string, SQLOutputValue>): EventRow {
  return record as unknown as EventRow;
}

/** The event in a row. Errors: throws CorruptEventError.       Rules: LG13 */
export function rowToEvent(row: EventRow, decode: DecodeEvent): StoredEvent {
  if (!bodyToLeaf(row.body).equals(row.leaf)) {
    throw new CorruptEventError(row.position, 'it is not what was written: its hash differs');
  }
  const decoded = decode(rowToEnvelope(row));
  if (!decoded.ok) throw new CorruptEventError(row.position, decoded.error.detail);
  return decoded.value;
}

/** The event in a row that may have been changed with its hash. Errors: throws CorruptEventError. */
export function rowToEnvelope(row: EventRow): StoredEvent {
  const event = parseEnvelope(row);
  if (!event.ok) throw new CorruptEventError(row.position, event.error.detail);
  return event.value;
}

function parseEnvelope(row: EventRow): ReturnType<DecodeEvent> {
  const value = parseJson(row.body);
  if (!isObject(value)) return err({ detail: 'its body is not a JSON object' });
  if (value['v'] !== ENVELOPE_VERSION) {
    return err({ detail: `its envelope has version ${JSON.stringify(value['v'])}` });
  }
  if (Object.keys(value).sort().join() !== ENVELOPE_KEYS) {
    return err({ detail: `its fields are ${Object.keys(value).join()}` });
  }
  const { actor, at, data, position, runId, sequence, type } = value as unknown as StoredEvent;
  if (position !== row.position || runId !== row.runId || sequence !== row.sequence) {
    return err({
      detail: `its body says position ${position}, run ${runId}, sequence ${sequence}`,
    });
  }
  const problem = fieldProblem({ actor, at, type });
  if (problem !== null) return err({ detail: problem });
  return ok({ position, runId, sequence, type, at, actor, data });
}

/** Looks at what types promise, since stored and adopted data may break it. */
function fieldProblem(event: Readonly<Record<'actor' | 'at' | 'type', unknown>>): string | null {
  const { actor, at, type } = event;
  if (typeof type !== 'string') return 'its type is not a string';
  if (typeof at !== 'string') return 'its time is not a string';
  const isActor =
    isObject(actor) && typeof actor['kind'] === 'string' && typeof actor['id'] === 'string';
  return isActor ? null : 'its actor has no kind or no id';
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // reported as no JSON object
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
