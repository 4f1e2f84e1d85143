import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLimiter } from '../src/limiter.js';

test('lets through as many as the limit says', () => {
  const limiter = createLimiter({ limit: 2, windowMs: 1000 });
  assert.deepEqual(
    [0, 1, 2].map((now) => limiter.allow(now)),
    [true, true, false],
  );
});

test('a burst at the edge of a window does not double the rate', () => {
  const limiter = createLimiter({ limit: 2, windowMs: 1000 });
  const allowed = [900, 950, 1000, 1050].map((now) => limiter.allow(now));
  assert.equal(allowed.filter(Boolean).length, 2);
});
