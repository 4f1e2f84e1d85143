import type { Clock } from '@ccdash/core';

/** The longest wait a Node timer can be given. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. Its timers keep no process alive. */
export function createSystemClock(): Clock {
  return {
    now: () => Date.now(),
    wakeAt: (atMs, callback) => {
      let timer: NodeJS.Timeout | null = null;
      const arm = (): void => {
        const waitMs = Math.max(0, atMs - Date.now());
        timer = setTimeout(
          () => {
            if (Date.now() >= atMs) callback();
            else arm();
          },
          Math.min(waitMs, LONGEST_TIMER_MS),
        );
        timer.unref();
      };
      arm();
      return () => {
        if (timer !== null) clearTimeout(timer);
      };
    },
  };
}
