/** Given these events, when this command comes, then these events follow: on the real decider, with no clock. */
import { InvariantError } from '../base/invariant.ts';
import { decide } from '../machine/decide.ts';
import type { Refusal, RunCommand } from '../machine/commands.ts';
import type { Actor, RunEvent } from '../machine/events.ts';
import { foldRun } from '../machine/evolve.ts';
import type { RunState } from '../machine/state.ts';
import { TEST_RUN, testContext } from './run-fixtures.ts';

export interface Given {
  readonly state: RunState | null;
  /** Decides `command` as `actor` at `nowMs`. */
  when(command: RunCommand, actor?: Actor, nowMs?: number): When;
}

export interface When {
  /** Exactly these follow, by type and data, in this order. Throws otherwise; gives the state after them. */
  thenEvents(...events: readonly Pick<RunEvent, 'type' | 'data'>[]): RunState;
  /** The command is refused. Throws when it is not, or by another type; gives the refusal. */
  thenRefused<T extends Refusal['type']>(type: T): Extract<Refusal, { type: T }>;
  /** What followed, for tests that look closer. Throws when the command was refused. */
  readonly events: readonly RunEvent[];
  readonly state: RunState;
  /** The run as this command left it, for the next one. */
  and(): Given;
}

/** Events, or parts of a story that are told by others. */
export type Told = RunEvent | readonly Told[];

/** A run in which these events have happened, oldest first; the first is RunCreated. None = no run. */
export function given(...told: readonly Told[]): Given {
  return givenState(foldRun(TEST_RUN, told.flatMap(toEvents)));
}

function toEvents(told: Told): readonly RunEvent[] {
  return 'type' in told ? [told] : told.flatMap(toEvents);
}

export function givenState(state: RunState | null): Given {
  return {
    state,
    when: (command, actor, nowMs) => {
      const result = decide(TEST_RUN, state, command, testContext(actor, nowMs));
      const decided = (): { events: readonly RunEvent[]; state: RunState } => {
        if (!result.ok) throw new InvariantError(`refused: ${JSON.stringify(result.error)}`);
        return result.value;
      };
      return {
        thenEvents: (...expected) => {
          const { events, state: after } = decided();
          assertSame(events.map(facts), expected.map(facts), 'the events');
          return after;
        },
        thenRefused: <T extends Refusal['type']>(type: T) => {
          const refusal: Refusal | 'accepted' = result.ok ? 'accepted' : result.error;
          if (refusal === 'accepted' || refusal.type !== type) {
            throw new InvariantError(`expected ${type}, found ${JSON.stringify(refusal)}`);
          }
          return refusal as Extract<Refusal, { type: T }>;
        },
        get events() {
          return decided().events;
        },
        get state() {
          return decided().state;
        },
        and: () => givenState(decided().state),
      };
    },
  };
}

function facts({ type, data }: Pick<RunEvent, 'type' | 'data'>): unknown {
  return { type, data };
}

function assertSame(found: unknown, expected: unknown, what: string): void {
  const [foundText, expectedText] = [sortedText(found), sortedText(expected)];
  if (foundText !== expectedText) {
    throw new InvariantError(`${what}:\n  expected ${expectedText}\n  found    ${foundText}`);
  }
}

function sortedText(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The whole of a state but the plan: equal texts, equal states. */
export function stateToText({ created: _, steps, approvals, ...rest }: RunState): string {
  const { counts, active } = steps;
  return JSON.stringify([
    rest,
    [...steps.values()],
    counts,
    [...active].sort(),
    [...approvals.entries()],
  ]);
}
