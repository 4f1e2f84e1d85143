import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPausableTimer } from './pausable-timer.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('[AH22] time that passes while it is paused does not count', () => {
  const elapsed = vi.fn();
  const timer = createPausableTimer(100, elapsed);
  vi.advanceTimersByTime(60);
  timer.pause();
  vi.advanceTimersByTime(10_000);
  timer.resume();
  vi.advanceTimersByTime(39);
  expect(elapsed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(elapsed).toHaveBeenCalledOnce();
});

test('a limit longer than the longest delay of the system is waited for, and null has no end', () => {
  const elapsed = vi.fn();
  const month = 30 * 24 * 3_600_000;
  createPausableTimer(month, elapsed);
  createPausableTimer(null, elapsed);
  vi.advanceTimersByTime(month - 1);
  expect(elapsed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(month);
  expect(elapsed).toHaveBeenCalledOnce();
});

test('a reset gives the whole time again, but starts nothing that is paused or cleared', () => {
  const elapsed = vi.fn();
  const timer = createPausableTimer(100, elapsed);
  vi.advanceTimersByTime(90);
  timer.reset();
  vi.advanceTimersByTime(90);
  timer.pause();
  timer.reset();
  vi.advanceTimersByTime(1_000);
  timer.clear();
  timer.resume();
  timer.reset();
  vi.advanceTimersByTime(1_000);
  expect(elapsed).not.toHaveBeenCalled();
});
