/** Events being decided, and the state as it will be after them: later decisions of one command see the earlier ones. */
import type { CommandContext } from './commands.ts';
import type { Actor, RunEvent, RunEventData, RunEventType } from './events.ts';
import { applyEvent } from './evolve.ts';
import { forkState } from './state.ts';
import type { RunState } from './state.ts';

/** `actor` where it is not the command's. */
type Emitted = {
  [T in RunEventType]: {
    readonly type: T;
    readonly data: RunEventData[T];
    readonly actor?: Actor;
  };
}[RunEventType];

export interface Draft {
  readonly context: CommandContext;
  readonly state: RunState;
  readonly events: readonly RunEvent[];
  emit(event: Emitted): void;
}

export function newDraft(base: RunState, context: CommandContext): Draft {
  const state = forkState(base);
  const events: RunEvent[] = [];
  return {
    context,
    state,
    events,
    emit: (emitted) => {
      const event: RunEvent = { actor: context.actor, ...emitted, at: context.at };
      events.push(event);
      applyEvent(state, event);
    },
  };
}
