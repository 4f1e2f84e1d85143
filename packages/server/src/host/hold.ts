/** A barrier that can be closed for a while: who comes to it waits until it is opened, or the work is to stop. */
export interface Hold {
  set(isHeld: boolean): void;
  isHeld(): boolean;
  /** Resolves at once while nothing holds. */
  readonly passed: () => Promise<void>;
}

export function createHold(stopping: AbortSignal): Hold {
  let opened: Promise<void> | null = null;
  let open: () => void = () => undefined;
  const set = (isHeld: boolean): void => {
    if (!isHeld) {
      open();
      opened = null;
    } else if (!stopping.aborted) {
      opened ??= new Promise((resolve) => (open = resolve));
    }
  };
  stopping.addEventListener('abort', () => set(false), { once: true });
  return { set, isHeld: () => opened !== null, passed: () => opened ?? Promise.resolve() };
}
