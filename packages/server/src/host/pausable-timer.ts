/** Counts down while it is not paused; where it stood is kept. */
export interface PausableTimer {
  pause(): void;
  resume(): void;
  /** Begins anew with the whole time. */
  reset(): void;
  clear(): void;
  /** Time that has counted so far; null without a limit. */
  spentMs(): number | null;
}

/** Longer delays overflow in Node and fire at once. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** `limitMs` null never fires. */
export function createPausableTimer(limitMs: number | null, onElapsed: () => void): PausableTimer {
  let leftMs = limitMs ?? Infinity;
  let since = performance.now();
  let timer: NodeJS.Timeout | null = null;
  let paused = false;
  let cleared = false;

  function run(): void {
    if (paused || cleared || timer !== null || leftMs === Infinity) return;
    since = performance.now();
    timer = setTimeout(
      () => {
        settle();
        if (leftMs > 0) {
          run();
        } else {
          cleared = true;
          onElapsed();
        }
      },
      Math.min(leftMs, LONGEST_DELAY_MS),
    );
  }

  function settle(): void {
    if (timer === null) return;
    clearTimeout(timer);
    timer = null;
    leftMs = Math.max(0, Math.ceil(leftMs - (performance.now() - since)));
  }

  run();
  return {
    pause: () => {
      paused = true;
      settle();
    },
    resume: () => {
      paused = false;
      run();
    },
    reset: () => {
      settle();
      leftMs = limitMs ?? Infinity;
      run();
    },
    clear: () => {
      cleared = true;
      settle();
    },
    spentMs: () => {
      if (limitMs === null) return null;
      const runningMs = timer === null ? 0 : performance.now() - since;
      return Math.min(limitMs, Math.round(limitMs - leftMs + runningMs));
    },
  };
}
