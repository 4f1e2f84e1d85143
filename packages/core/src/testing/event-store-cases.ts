/** What every event store must do, as data: a runner loops over the cases with a harness of its own. */
import { InvariantError } from '../base/invariant.ts';
import type { Json } from '../base/json.ts';
import type { EventStore, NewEvent, StoredEvent } from '../ports/event-store.ts';

export interface EventStoreHarness {
  /** An empty store of its own; the runner closes and removes it. */
  readonly createStore: () => EventStore;
}

export interface EventStoreCase {
  /** In packages/core/SPEC.md. */
  readonly rule: string;
  readonly name: string;
  /** Rejects when the store breaks the rule. */
  readonly run: (harness: EventStoreHarness) => Promise<void>;
}

export const EVENT_STORE_CASES: readonly EventStoreCase[] = [
  {
    rule: 'LG1',
    name: 'positions are dense from 0 over all runs and the events of no run',
    async run({ createStore }) {
      const store = createStore();
      await append(store, 'run_a', 0, ['one', 'two']);
      await append(store, null, null, ['three']);
      await append(store, 'run_b', 0, ['four']);
      equal(
        store
          .readAll(0, 10)
          .map(({ position, runId, sequence, data }) => [position, runId, sequence, data]),
        [
          [0, 'run_a', 0, 'one'],
          [1, 'run_a', 1, 'two'],
          [2, null, null, 'three'],
          [3, 'run_b', 0, 'four'],
        ],
        'the whole log',
      );
      equal(store.size(), 4, 'the size');
    },
  },
  {
    rule: 'LG1',
    name: 'an append returns its events as they are read back',
    async run({ createStore }) {
      const store = createStore();
      const appended = await append(store, 'run_a', 0, ['one', { z: [1, null], a: 'ä\u2028"' }]);
      equal(appended, store.readAll(0, 10), 'the events');
      equal(appended[1]?.data, { z: [1, null], a: 'ä\u2028"' }, 'the data of the second');
      equal(appended[0]?.actor, ACTOR, 'the actor of the first');
      equal(appended[0]?.at, AT, 'the time of the first');
    },
  },
  {
    rule: 'LG1',
    name: 'an append of no events changes nothing',
    async run({ createStore }) {
      const store = createStore();
      equal(await append(store, 'run_a', 0, []), [], 'the events');
      equal([store.size(), store.runIds()], [0, []], 'size and runs');
    },
  },
  {
    rule: 'LG1',
    name: 'what the caller does to an event after appending it changes nothing',
    async run({ createStore }) {
      const store = createStore();
      const data = { words: ['one'] };
      await append(store, 'run_a', 0, [data]);
      data.words.push('two');
      equal(store.readAll(0, 1)[0]?.data, { words: ['one'] }, 'the data');
    },
  },
  {
    rule: 'LG1',
    name: 'an event that JSON cannot say is the bug of its caller only',
    async run({ createStore }) {
      const store = createStore();
      const [bad, good] = await Promise.allSettled([
        append(store, 'run_a', 0, ['fine', Number.NaN]),
        append(store, 'run_b', 0, ['fine']),
      ]);
      equal([bad.status, good.status], ['rejected', 'fulfilled'], 'the two appends');
      equal(store.size(), 1, 'the size');
    },
  },
  {
    rule: 'LG2',
    name: 'an append that expects another length of its run is refused with the actual one',
    async run({ createStore }) {
      const store = createStore();
      await append(store, 'run_a', 0, ['one', 'two']);
      for (const expected of [0, 1, 3]) {
        const refused = await store.append({
          runId: 'run_a',
          expectedSequence: expected,
          events: [newEvent('never')],
        });
        const error = {
          type: 'VersionConflict',
          runId: 'run_a',
          expectedSequence: expected,
          actualSequence: 2,
        };
        equal(refused, { ok: false, error }, `the append that expects ${expected}`);
      }
      equal(store.size(), 2, 'the size');
    },
  },
  {
    rule: 'LG2',
    name: 'appends that meet are checked one by one, and a refused one disturbs no other',
    async run({ createStore }) {
      const store = createStore();
      const results = await Promise.all(
        [
          ['run_a', 0],
          ['run_a', 0],
          ['run_b', 0],
          ['run_a', 1],
          ['run_b', 2],
        ].map(([runId, expectedSequence]) =>
          store.append({
            runId: runId as string,
            expectedSequence: expectedSequence as number,
            events: [newEvent('x')],
          }),
        ),
      );
      equal(
        results.map(({ ok }) => ok),
        [true, false, true, true, false],
        'who was accepted',
      );
      equal(
        store.readAll(0, 10).map(({ runId, sequence }) => [runId, sequence]),
        [
          ['run_a', 0],
          ['run_b', 0],
          ['run_a', 1],
        ],
        'the log',
      );
    },
  },
  {
    rule: 'LG2',
    name: 'twenty callers that append at once leave every run dense and in order',
    async run({ createStore }) {
      const store = createStore();
      const runs = Array.from({ length: 20 }, (_, i) => `run_${i}`);
      await Promise.all(
        runs.map(async (runId) => {
          for (let i = 0; i < 25; i += 1) await append(store, runId, i, [i]);
        }),
      );
      equal(store.size(), 500, 'the size');
      for (const runId of runs) {
        const read = [...store.readRun(runId)];
        equal(
          read.map(({ sequence, data }) => [sequence, data]),
          read.map((_, i) => [i, i]),
          runId,
        );
        equal(read.length, 25, `the length of ${runId}`);
      }
      equal(
        store.readAll(0, 1000).map(({ position }) => position),
        Array.from({ length: 500 }, (_, i) => i),
        'the positions',
      );
    },
  },
  {
    rule: 'LG3',
    name: 'a run is read from any sequence on, without the events of others',
    async run({ createStore }) {
      const store = createStore();
      for (let i = 0; i < 1200; i += 300) {
        await append(
          store,
          'run_a',
          i,
          Array.from({ length: 300 }, (_, j) => i + j),
        );
        await append(store, 'run_b', i / 300, ['between']);
      }
      const dataFrom = (from?: number): Json[] =>
        [...store.readRun('run_a', from)].map(({ data }) => data);
      equal(
        dataFrom(),
        Array.from({ length: 1200 }, (_, i) => i),
        'the run',
      );
      equal(dataFrom(1197), [1197, 1198, 1199], 'its last three events');
      equal(dataFrom(1200), [], 'what is after its end');
      equal([...store.readRun('run_c')], [], 'a run that is not there');
      equal(store.lastOf('run_a')?.data, 1199, 'its newest event');
      equal(store.lastOf('run_c'), null, 'the newest event of a run that is not there');
    },
  },
  {
    rule: 'LG3',
    name: 'the events of no run are read without those of runs',
    async run({ createStore }) {
      const store = createStore();
      equal([...store.readGlobal()], [], 'the events of an empty log');
      for (let i = 0; i < 1200; i += 300) {
        await append(
          store,
          null,
          null,
          Array.from({ length: 300 }, (_, j) => i + j),
        );
        await append(store, 'run_a', i / 300, ['between']);
      }
      equal(
        [...store.readGlobal()].map(({ data }) => data),
        Array.from({ length: 1200 }, (_, i) => i),
        'the events',
      );
    },
  },
  {
    rule: 'LG3',
    name: 'the log is read in pages',
    async run({ createStore }) {
      const store = createStore();
      await append(store, null, null, [0, 1, 2, 3, 4]);
      const page = (from: number, limit: number): Json[] =>
        store.readAll(from, limit).map(({ data }) => data);
      equal([page(0, 2), page(2, 2), page(4, 2), page(5, 2)], [[0, 1], [2, 3], [4], []], 'pages');
    },
  },
  {
    rule: 'LG3',
    name: 'runs are listed in the order in which they began',
    async run({ createStore }) {
      const store = createStore();
      equal(store.runIds(), [], 'runs of an empty log');
      await append(store, null, null, ['x']);
      await append(store, 'run_b', 0, ['x']);
      await append(store, 'run_a', 0, ['x']);
      await append(store, 'run_b', 1, ['x']);
      equal(store.runIds(), ['run_b', 'run_a'], 'runs');
    },
  },
  {
    rule: 'LG1',
    name: 'a closed store refuses',
    async run({ createStore }) {
      const store = createStore();
      store.close();
      store.close();
      const refused = await store.append({ runId: null, expectedSequence: null, events: [] });
      equal(refused.ok ? 'accepted' : refused.error.type, 'StoreUnavailable', 'the answer');
    },
  },
];

const AT = '2026-01-02T03:04:05.678Z';
const ACTOR = { kind: 'engine', id: 'engine_1' } as const;

function newEvent(data: Json): NewEvent {
  return { type: 'Noted', at: AT, actor: ACTOR, data };
}

async function append(
  store: EventStore,
  runId: string | null,
  expectedSequence: number | null,
  data: readonly Json[],
): Promise<readonly StoredEvent[]> {
  const result = await store.append({ runId, expectedSequence, events: data.map(newEvent) });
  if (!result.ok) throw new InvariantError(`an append was refused: ${result.error.type}`);
  return result.value;
}

function equal(actual: unknown, expected: unknown, what: string): void {
  const [found, wanted] = [toText(actual), toText(expected)];
  if (found !== wanted) throw new InvariantError(`${what}: expected ${wanted}, found ${found}`);
}

/** JSON with its keys in order. */
function toText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
