import { describe, expect, test, vi } from 'vitest';
import { createRandomIds } from './random-ids.ts';

const ids = createRandomIds();

describe('ids', () => {
  test('[EN18] are a prefix and sixteen plain characters', () => {
    expect(ids.next('run')).toMatch(/^run_[0-9a-hjkmnp-tv-z]{16}$/);
    expect(ids.uuid()).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test('[EN18] sort by the millisecond they were made in', () => {
    vi.useFakeTimers();
    try {
      const times = [0, 31, 32, 1023, 1024, 1_700_000_000_000, 1_700_000_000_001, 2 ** 44];
      const made = times.map((time) => {
        vi.setSystemTime(time);
        return ids.next('run');
      });
      expect([...made].sort()).toEqual(made);
      expect(new Set(made.map((id) => id.length)).size).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });

  test('[EN18] of one millisecond differ', () => {
    const made = Array.from({ length: 2000 }, () => ids.next('run'));
    expect(new Set(made).size).toBe(2000);
  });
});
