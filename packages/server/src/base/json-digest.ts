import { createHash } from 'node:crypto';
import { assertInvariant } from '@ccdash/core';
import type { Json } from '@ccdash/core';
import { canonicalJson } from './canonical-json.ts';

/** `sha256:<hex>` over the canonical JSON (RFC 8785) of a value. */
export function jsonDigest(value: Json): string {
  const text = canonicalJson(value);
  assertInvariant(text !== undefined, 'a JSON value has a canonical form');
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
