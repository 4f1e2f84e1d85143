import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createSystemClock } from './system-clock.ts';

const clock = createSystemClock();
const DAY_MS = 24 * 60 * 60_000;

describe('the clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_000_000 });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test('[EN18] wakes once, at its time or after it', () => {
    const woken: number[] = [];
    clock.wakeAt(clock.now() + 500, () => woken.push(clock.now()));
    vi.advanceTimersByTime(499);
    expect(woken).toEqual([]);
    vi.advanceTimersByTime(10_000);
    expect(woken).toEqual([1_000_500]);
  });

  test('[EN18] wakes for a time that has passed, but never within the call', () => {
    const wake = vi.fn();
    clock.wakeAt(0, wake);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(wake).toHaveBeenCalledOnce();
  });

  test('[EN18] waits longer than one timer can', () => {
    const wake = vi.fn();
    clock.wakeAt(clock.now() + 60 * DAY_MS, wake);
    vi.advanceTimersByTime(60 * DAY_MS - 1);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(wake).toHaveBeenCalledOnce();
  });

  test('[EN18] goes by the time of day: a clock set back makes it wait again', () => {
    const wake = vi.fn();
    clock.wakeAt(clock.now() + 1000, wake);
    vi.setSystemTime(clock.now() - 5000);
    vi.advanceTimersByTime(1000);
    expect(wake).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5000);
    expect(wake).toHaveBeenCalledOnce();
  });

  test('[EN18] does not wake what was called off, also in its second round', () => {
    const wake = vi.fn();
    const first = clock.wakeAt(clock.now() + 1000, wake);
    const second = clock.wakeAt(clock.now() + 60 * DAY_MS, wake);
    first();
    vi.advanceTimersByTime(40 * DAY_MS);
    second();
    vi.advanceTimersByTime(40 * DAY_MS);
    expect(wake).not.toHaveBeenCalled();
  });
});
