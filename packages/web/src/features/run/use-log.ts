/** The window of a run's log that the page holds, kept up with what happens. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { client } from '../../api/client.ts';
import { onEvent } from '../../api/live.ts';
import { EMPTY_LOG, windowOfPage, withCount, withEarlier, withLater } from './log-window.ts';
import type { LogWindow } from './log-window.ts';

export interface LogFilter {
  readonly step: string | null;
  readonly errors: boolean;
  readonly find: string | null;
}

export interface Log {
  readonly log: LogWindow;
  readonly isLoading: boolean;
  readonly problem: string | null;
  readonly readEarlier: () => void;
  readonly readLater: () => void;
  /** Forgets what it holds and reads the end. */
  readonly readEnd: () => void;
}

const PAGE = 200;
/** No log is as long: the window ends at the end. */
const END = 1e15;

export function useLog(runId: string, { step, errors, find }: LogFilter): Log {
  const [log, setLog] = useState(EMPTY_LOG);
  const [isLoading, setLoading] = useState(true);
  const [problem, setProblem] = useState<string | null>(null);
  const held = useRef(EMPTY_LOG);
  const turn = useRef(0);
  const isBusy = useRef(false);
  /** So many events there are, by what came live. */
  const heard = useRef(0);

  const readLater = useRef(async (): Promise<void> => {});
  const keep = useCallback((next: LogWindow): void => {
    held.current = next;
    setLog(next);
  }, []);

  const read = useCallback(
    async (where: 'end' | 'earlier' | 'later'): Promise<void> => {
      const mine = turn.current;
      const { before, from, count } = held.current;
      if (isBusy.current && where !== 'end') return;
      if (where === 'earlier' && before === null) return;
      isBusy.current = true;
      const at =
        where === 'end'
          ? { before: END }
          : where === 'earlier'
            ? { before: before ?? 0 }
            : { from: from ?? count };
      const answer = await client.eventWindow(runId, {
        ...at,
        ...{ limit: PAGE, errors },
        ...(step === null ? {} : { step }),
        ...(find === null ? {} : { find }),
      });
      // The filter is another one by now.
      if (mine !== turn.current) return;
      isBusy.current = false;
      setLoading(false);
      setProblem(answer.ok ? null : answer.error.detail);
      if (!answer.ok) return;
      if (where === 'end') keep(windowOfPage(answer.value));
      else if (where === 'earlier') keep(withEarlier(held.current, answer.value));
      else keep(withLater(held.current, answer.value));
      // Something came while this was on its way.
      if (held.current.from === null && heard.current > held.current.count)
        void readLater.current();
    },
    [runId, step, errors, find, keep],
  );

  useEffect(() => {
    readLater.current = () => read('later');
  }, [read]);

  const restart = useCallback((): void => {
    turn.current += 1;
    isBusy.current = false;
    keep(EMPTY_LOG);
    setLoading(true);
    void read('end');
  }, [read, keep]);

  useEffect(() => {
    heard.current = 0;
    restart();
    let wanted: number | null = null;
    // The server filters; what has come since is read by its number, so nothing is lost or doubled.
    const catchUp = async (): Promise<void> => {
      wanted = null;
      if (held.current.from !== null || isBusy.current) return;
      await read('later');
    };
    const stop = onEvent((event) => {
      if (event.runId !== runId || event.sequence === null) return;
      heard.current = Math.max(heard.current, event.sequence + 1);
      const { from } = held.current;
      if (from !== null) keep(withCount(held.current, event.sequence + 1));
      else wanted ??= requestAnimationFrame(() => void catchUp());
    });
    return () => {
      stop();
      turn.current += 1;
      if (wanted !== null) cancelAnimationFrame(wanted);
    };
  }, [runId, read, restart, keep]);

  return {
    ...{ log, isLoading, problem },
    readEarlier: () => void read('earlier'),
    readLater: () => void read('later'),
    readEnd: restart,
  };
}
