/**
 * The log of a run. Only rows that are seen are in the page, and only a window of the log is held. It follows the end
 * for as long as the reader is there.
 */
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { RunView, StoredEvent } from '@ccdash/api/client';
import { Counts } from '../../ui/diff.tsx';
import { Diff } from '../../ui/diff.tsx';
import { useParam } from '../../ui/router.tsx';
import { toTerminalText } from '../../ui/terminal-text.ts';
import { Terminal } from '../../ui/terminal.tsx';
import { cut } from '../../ui/text.ts';
import { toVisibleText } from '../../ui/visible-text.ts';
import { rowsOf } from './log-rows.ts';
import type { LogBody, LogRow, Tone } from './log-rows.ts';
import { useLog } from './use-log.ts';

const ROW_PX = 30;
/** So near to an end of what is held, more is read. */
const NEAR_ROWS = 20;
const NEAR_PX = 40;

export function LogView({
  run,
  stepOf,
  onStep,
}: {
  readonly run: RunView;
  readonly stepOf: (approval: string) => string | null;
  readonly onStep: (step: string) => void;
}) {
  const [step, setStep] = useParam('only');
  const [errors, setErrors] = useParam('errors');
  const [find, setFind] = useParam('find');
  const [typed, setTyped] = useState(find ?? '');
  const { log, isLoading, problem, readEarlier, readLater, readEnd } = useLog(run.id, {
    ...{ step, errors: errors !== null, find },
  });
  const cache = useRef(new WeakMap<StoredEvent, readonly LogRow[]>());
  const rows = useMemo(
    () =>
      log.events.flatMap((event) => {
        const known = cache.current.get(event) ?? rowsOf(event, stepOf);
        cache.current.set(event, known);
        return known;
      }),
    [log.events, stepOf],
  );
  useEffect(() => {
    const timer = setTimeout(() => {
      if (typed !== (find ?? '')) setFind(typed);
    }, 250);
    return () => clearTimeout(timer);
  }, [typed, find, setFind]);

  const pane = useRef<HTMLDivElement>(null);
  const [isFollowing, setFollowing] = useState(true);
  const [leftAt, setLeftAt] = useState(0);
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => pane.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 12,
  });
  const items = list.getVirtualItems();
  const firstKey = rows[0]?.key ?? '';
  const before = useRef({ firstKey, top: '' });

  // What came in front must not move what is being read.
  useLayoutEffect(() => {
    const was = before.current;
    if (was.firstKey !== firstKey && was.top !== '' && !isFollowing) {
      const index = rows.findIndex(({ key }) => key === was.top);
      if (index > 0) list.scrollToIndex(index, { align: 'start' });
    }
    before.current = { ...before.current, firstKey };
  }, [firstKey, rows, list, isFollowing]);

  useEffect(() => {
    if (isFollowing && rows.length > 0) list.scrollToIndex(rows.length - 1, { align: 'end' });
  }, [isFollowing, rows.length, list]);

  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (
      !isLoading &&
      first < NEAR_ROWS &&
      log.before !== null &&
      !(isFollowing && rows.length > 2 * NEAR_ROWS)
    )
      readEarlier();
    else if (!isLoading && last > rows.length - NEAR_ROWS && log.from !== null) readLater();
  });

  const scrolled = (): void => {
    const element = pane.current;
    if (element === null) return;
    const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    const top = list.getVirtualItemForOffset(element.scrollTop);
    before.current = {
      ...before.current,
      top: top === undefined ? '' : (rows[top.index]?.key ?? ''),
    };
    const follows = atEnd && log.from === null;
    if (isFollowing && !follows) setLeftAt(log.count);
    setFollowing(follows);
  };
  const jump = (): void => {
    setFollowing(true);
    if (log.from !== null) readEnd();
  };
  const missed = Math.max(0, log.count - leftAt);

  return (
    <section className="stack" aria-label="Log">
      <div className="row tools" role="search">
        <input
          type="search"
          aria-label="Find in the log"
          placeholder="Find in the log"
          value={typed}
          onChange={(event) => setTyped(event.target.value)}
        />
        <select
          aria-label="Step"
          value={step ?? ''}
          onChange={(event) => setStep(event.target.value)}
        >
          <option value="">All steps</option>
          {run.steps.map(({ id }) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
        <button
          type="button"
          aria-pressed={errors !== null}
          onClick={() => setErrors(errors === null ? '1' : null)}
        >
          Errors only
        </button>
      </div>
      {problem !== null && <p role="alert">{problem}</p>}
      <div className="log-frame">
        <div
          ref={pane}
          className="log"
          role="log"
          aria-live="off"
          aria-label="Log of the run"
          tabIndex={0}
          onScroll={scrolled}
        >
          {rows.length === 0 && (
            <p className="quiet empty">
              {isLoading
                ? 'Loading…'
                : find === null && errors === null
                  ? 'Nothing yet.'
                  : 'Nothing fits.'}
            </p>
          )}
          <div className="log-size" style={{ height: list.getTotalSize() }}>
            {items.map((item) => {
              const row = rows[item.index];
              return row === undefined ? null : (
                <div
                  key={item.key}
                  ref={list.measureElement}
                  data-index={item.index}
                  className="log-place"
                  style={{ transform: `translateY(${String(item.start)}px)` }}
                >
                  <Row row={row} onStep={onStep} />
                </div>
              );
            })}
          </div>
        </div>
        {!isFollowing && (
          <button type="button" className="jump" onClick={jump}>
            Jump to latest{missed > 0 && ` (${String(missed)} new)`}
          </button>
        )}
      </div>
      <p className="small quiet">
        {log.count} events{isFollowing ? ', following' : ''}
      </p>
    </section>
  );
}

const MARKS: Readonly<Record<Tone, string>> = {
  going: '▸',
  good: '✓',
  bad: '✗',
  wait: '?',
  still: '·',
};
const VOICES: Readonly<Record<LogRow['voice'], string>> = {
  ...{ run: '', agent: 'agent', tool: 'tool', person: '' },
};

function Row({ row, onStep }: { readonly row: LogRow; readonly onStep: (step: string) => void }) {
  const { at, step, tone, voice, title, detail, body, depth } = row;
  return (
    <div className={`line ${tone} ${voice}`} data-depth={Math.min(depth, 4)}>
      <time dateTime={at} title={at}>
        {clock(at)}
      </time>
      {step === null ? (
        <span />
      ) : (
        <button type="button" className="plain mono" onClick={() => onStep(step)}>
          {step}
        </button>
      )}
      <div className="stack tight">
        <p>
          <span className={`mark ${tone}`} aria-hidden="true">
            {MARKS[tone]}
          </span>{' '}
          {VOICES[voice] !== '' && <span className="voice">{VOICES[voice]}</span>}
          <strong>{toVisibleText(title)}</strong>
          {detail !== null && <span className="detail"> {toVisibleText(cut(detail, 1000))}</span>}
        </p>
        {body !== null && <Body body={body} />}
      </div>
    </div>
  );
}

/** Longer ones are folded: a log is for seeing what happened next to what. */
const FOLDED_FROM = 600;

function Body({ body }: { readonly body: LogBody }) {
  if (body.kind === 'files') {
    return (
      <ul className="files">
        {body.files.map((file, at) => (
          <li key={at}>
            <details>
              <summary>
                <span className="mono">{toVisibleText(file.path)}</span> <Counts file={file} />
              </summary>
              <Diff text={asDiff(file)} />
            </details>
          </li>
        ))}
      </ul>
    );
  }
  const content =
    body.kind === 'output' ? (
      <Terminal lines={toTerminalText(cut(body.text, 50_000)).lines} label="Output" />
    ) : (
      <p className="words">{toVisibleText(cut(body.text, 50_000))}</p>
    );
  if (body.text.length < FOLDED_FROM) return content;
  return (
    <details>
      <summary className="words">{toVisibleText(body.text.slice(0, 160))} …</summary>
      {content}
    </details>
  );
}

/** Agents give the hunks; the header is what takes them apart. */
function asDiff({ path, diff }: { readonly path: string; readonly diff: string }): string {
  const name = path.replaceAll('\n', ' ');
  return diff.startsWith('diff --git ') ? diff : `diff --git a/${name} b/${name}\n${diff}`;
}

function clock(at: string): string {
  return new Date(at).toTimeString().slice(0, 8);
}
