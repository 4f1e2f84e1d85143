/**
 * What must hold of the history of a run, read from the exported log alone. It knows the words of the log and the rules
 * of the specification, and shares no code with the engine: a mistake there is not made here again.
 */

export interface LoggedEvent {
  readonly position: number;
  readonly runId: string | null;
  readonly type: string;
  readonly at: string;
  readonly actor: { readonly kind: string; readonly id: string };
  readonly data: EventData;
}

/** The fields that are looked at; which event has which is in the specification. */
interface EventData {
  readonly step?: string;
  readonly attempt?: number;
  readonly epoch?: number;
  readonly cause?: string;
  readonly automatic?: boolean;
  readonly mode?: string;
  readonly status?: string;
  readonly approvalId?: string;
  readonly approvals?: readonly string[];
  readonly decision?: string;
  readonly subjectDigest?: string;
  readonly kind?: string;
  readonly gateId?: string | null;
  readonly requires?: Requirement;
  readonly verdict?: { readonly verdict: string; readonly requires: Requirement };
  readonly inputCheckpoint?: { readonly commit: string };
  readonly checkpoint?: { readonly commit: string };
  readonly notBeforeMs?: number;
  readonly facts?: readonly { readonly seq: number; readonly type: string }[];
  readonly plan?: LoggedPlan;
  readonly lane?: boolean;
  readonly anew?: boolean;
}

interface Requirement {
  readonly count: number;
}

export interface LoggedPlan {
  readonly name: string;
  readonly concurrency: number;
  readonly onFailure: string;
  readonly steps: readonly {
    readonly id: string;
    readonly kind: string;
    readonly needs: readonly string[];
    readonly when: string | null;
    readonly retry?: { readonly attempts: number };
    readonly scope: { readonly write: readonly string[] };
  }[];
}

type Status =
  | 'pending'
  | 'ready'
  | 'blocked'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'interrupted'
  | 'skipped'
  | 'stale'
  | 'canceled';

interface StepHistory {
  status: Status;
  attempts: number;
  live: {
    readonly number: number;
    readonly epoch: number;
    readonly isLane: boolean;
    readonly from: string;
    seq: number;
  } | null;
  /** It has made something in a workspace of its own that is not part of the run's yet. */
  unjoined: boolean;
  invalidated: boolean;
  /** Failures since a person, or work that was sent back, set it going. */
  failures: number;
  notBeforeMs: number;
  waitMs: number;
}

interface Request {
  readonly step: string;
  readonly kind: string;
  readonly digest: string;
  readonly count: number;
  status: string;
  readonly approvers: Set<string>;
  usedBy: number | null;
}

/** Where each event of a step may come, and what the step is then; by hand, from the table of the specification. */
const MOVES: Readonly<Record<string, readonly [readonly Status[], Status][]>> = {
  StepReadied: [[['pending', 'blocked'], 'ready']],
  StepDenied: [[['pending'], 'blocked']],
  StepBlocked: [[['pending'], 'blocked']],
  StepSkipped: [[['pending'], 'skipped']],
  StepFailed: [[['pending', 'blocked'], 'failed']],
  GatePassed: [[['blocked'], 'succeeded']],
  StepRequeued: [[['blocked', 'ready', 'interrupted', 'failed', 'stale'], 'pending']],
  AttemptStarted: [[['ready'], 'running']],
  AttemptSucceeded: [[['running'], 'succeeded']],
  AttemptFailed: [[['running'], 'failed']],
  AttemptRetrying: [[['running'], 'ready']],
  AttemptInterrupted: [[['running'], 'interrupted']],
  AttemptNeverStarted: [[['running'], 'pending']],
  AttemptExhausted: [[['running'], 'blocked']],
  AttemptCanceled: [[['running'], 'canceled']],
  AttemptSuperseded: [[['running'], 'stale']],
  StepInvalidated: [
    [['running'], 'running'],
    [
      ['pending', 'blocked', 'ready', 'interrupted', 'failed', 'succeeded', 'skipped', 'stale'],
      'stale',
    ],
  ],
};
const ENDS = new Set(Object.keys(MOVES).filter((type) => /^Attempt(?!Started)/.test(type)));
const DONE: ReadonlySet<Status> = new Set(['succeeded', 'skipped']);
/** Nothing of these comes while a run is paused, or after it was told to end. */
const BEGINNINGS = new Set(['StepReadied', 'AttemptStarted', 'StepSkipped', 'StepDenied']);

/** Sentences about what is wrong with the events of one run, oldest first; none when nothing is. */
export function historyViolations(events: readonly LoggedEvent[]): readonly string[] {
  const history = new RunHistory();
  for (const event of events) history.take(event);
  return history.wrong;
}

/** How the run stands by the words of its history: its end, `paused`, or `open`. */
export function endOf(events: readonly LoggedEvent[]): string {
  const history = new RunHistory();
  for (const event of events) history.take(event);
  return history.ended ?? (history.paused ? 'paused' : 'open');
}

export class RunHistory {
  readonly wrong: string[] = [];
  ended: string | null = null;
  paused = false;
  #canceling = false;
  #plan: LoggedPlan | null = null;
  #epoch = 0;
  #last = -1;
  readonly #steps = new Map<string, StepHistory>();
  readonly #requests = new Map<string, Request>();

  take(event: LoggedEvent): void {
    const { type, data, position } = event;
    const say = (what: string): void => {
      this.wrong.push(`${String(position)} ${type} ${data.step ?? ''}: ${what}`);
    };
    if (position <= this.#last) say('it comes after a later one');
    this.#last = position;
    if (this.#plan === null) {
      if (type !== 'RunCreated' || data.plan === undefined) say('no run begins so');
      else this.#create(data.plan);
      return;
    }
    const mayFollow = /^(Result|Override)/.test(type);
    if ((this.ended === 'canceled' || this.ended === 'succeeded') && !mayFollow) {
      say(`the run was ${this.ended}`);
    }
    if (this.#canceling && (BEGINNINGS.has(type) || type === 'StepRequeued')) {
      say('the run was told to end');
    }
    // What people approve meanwhile becomes ready, and waits with the rest.
    const isApproved = type === 'StepReadied' && this.#status(data.step ?? '') === 'blocked';
    if (this.paused && BEGINNINGS.has(type) && type !== 'StepSkipped' && !isApproved) {
      say('the run is paused');
    }
    if (data.step !== undefined) this.#takeStep(event, data.step, say);
    else this.#takeRun(event, say);
    this.#takeRequest(event, say);
  }

  #create(plan: LoggedPlan): void {
    this.#plan = plan;
    for (const { id } of plan.steps) {
      this.#steps.set(id, {
        ...{ status: 'pending', attempts: 0, live: null, unjoined: false, invalidated: false },
        ...{ failures: 0, notBeforeMs: 0, waitMs: 0 },
      });
    }
  }

  #takeRun({ type, data }: LoggedEvent, say: (what: string) => void): void {
    const statuses = [...this.#steps.values()].map(({ status }) => status);
    if (type === 'RunPaused') this.paused = true;
    else if (type === 'RunUnpaused') this.paused = false;
    else if (type === 'RunCancelRequested') this.#canceling = true;
    else if (type === 'RunCanceled') {
      if (!this.#canceling) say('nobody asked for it');
      if (statuses.includes('running')) say('something of it lives');
      this.ended = 'canceled';
      for (const step of this.#steps.values()) if (!DONE.has(step.status)) step.status = 'canceled';
    } else if (type === 'RunEnded') {
      this.ended = data.status ?? '';
      const isDone = statuses.every((status) => DONE.has(status));
      if (isDone !== (data.status === 'succeeded')) say('its steps say otherwise');
      const isApart = [...this.#steps.values()].some(({ unjoined }) => unjoined);
      if (isApart && data.status === 'succeeded') say('work is not joined');
      if (statuses.some((status) => ['running', 'interrupted', 'blocked'].includes(status))) {
        say('something moves, or waits');
      }
    }
  }

  #takeStep(event: LoggedEvent, id: string, say: (what: string) => void): void {
    const { type, data, at } = event;
    const step = this.#steps.get(id);
    const planned = this.#plan?.steps.find((each) => each.id === id);
    if (step === undefined || planned === undefined) {
      say('the plan has no such step');
      return;
    }
    if (ENDS.has(type) || type === 'AttemptReported' || type === 'ToolDecided') {
      if (step.live === null || step.live.number !== data.attempt) say('no such attempt lives');
    }
    if (type === 'AttemptReported' && step.live !== null) {
      if (data.epoch !== step.live.epoch) say('it speaks for another epoch');
      for (const { seq } of data.facts ?? []) {
        if (seq <= step.live.seq) say(`fact ${String(seq)} is there already`);
        step.live.seq = seq;
      }
    }
    if (type === 'AttemptStarted') this.#start(event, id, step, say);
    const after = asksFirst(event) ? 'blocked' : statusAfter(type, step.status);
    if (asksFirst(event) && step.status !== 'pending') say(`from ${step.status}`);
    if (after === 'nothing') say(`from ${step.status}`);
    else if (after !== null) {
      // What is to try again may have to wait for what it needs: its start tells.
      if (type === 'StepReadied' || type === 'AttemptStarted' || type === 'StepDenied') {
        const open = planned.needs.filter((need) => !DONE.has(this.#status(need)));
        if (open.length > 0) say(`it needs ${open.join(', ')}`);
        const apart = planned.needs.filter((need) => this.#steps.get(need)?.unjoined);
        if (apart.length > 0) say(`the work of ${apart.join(', ')} is not joined`);
      }
      step.status = after;
    }
    if (type === 'AttemptSucceeded' && step.live?.isLane === true) {
      step.unjoined = data.checkpoint?.commit !== step.live.from;
    }
    if (type === 'WorkJoined') {
      if (!step.unjoined) say('there is nothing to join');
      step.unjoined = false;
    }
    if (ENDS.has(type)) step.live = null;
    if (type === 'StepInvalidated') {
      step.invalidated = step.live !== null;
      if (data.anew === true) step.unjoined = false;
      step.failures = 0;
      this.ended = null;
    }
    if (type === 'AttemptSucceeded' && step.invalidated) say('what it stood on has changed');
    if (type === 'AttemptSuperseded' || type === 'AttemptNeverStarted') step.invalidated = false;
    if (type === 'AttemptFailed' || type === 'AttemptRetrying') step.failures += 1;
    if (type === 'AttemptRetrying') {
      step.notBeforeMs = data.notBeforeMs ?? 0;
      step.waitMs = step.notBeforeMs - Date.parse(at);
      if (step.failures >= (planned.retry?.attempts ?? 1)) say('its tries are used up');
    }
    if (type === 'StepRequeued') {
      step.notBeforeMs = 0;
      if (data.automatic === false) {
        if (event.actor.kind !== 'person') say('a person sets it going, or it goes by itself');
        this.ended = null;
        step.failures = 0;
      }
    }
    if (type === 'AttemptStarted') {
      // By a clock that was set back it would wait for longer than the plan says.
      const leftMs = step.notBeforeMs - Date.parse(at);
      if (leftMs > 0 && leftMs <= step.waitMs) say('it was to wait');
    }
  }

  #start(event: LoggedEvent, id: string, step: StepHistory, say: (what: string) => void): void {
    const { data } = event;
    if (data.attempt !== step.attempts + 1) say(`attempt ${String(step.attempts)} was before it`);
    step.attempts = data.attempt ?? 0;
    const isLane = data.lane ?? false;
    const from = data.inputCheckpoint?.commit ?? '';
    step.live = { number: step.attempts, epoch: data.epoch ?? 0, isLane, from, seq: 0 };
    const beside = [...this.#steps].filter(([other, { live }]) => {
      return other !== id && live !== null && !live.isLane && this.#writes(other);
    });
    if (!isLane && this.#writes(id) && beside.length > 0) say('another has the workspace');
    if (isLane && !this.#writes(id)) say('it needs no workspace of its own');
    if (step.live.epoch < this.#epoch) say('an engine of before has started it');
    this.#epoch = Math.max(this.#epoch, step.live.epoch);
    const live = [...this.#steps.values()].filter((each) => each.live !== null);
    if (live.length > (this.#plan?.concurrency ?? 1)) say('more live than may');
    const failed = [...this.#steps.values()].some(({ status }) => status === 'failed');
    if (failed && this.#plan?.onFailure === 'stop') say('the plan stops at a failure');
    const { verdict } = data;
    const used = (data.approvals ?? []).map((approval) => this.#requests.get(approval));
    const override = used.find((request) => request?.kind === 'override');
    if (verdict?.verdict === 'deny' && override === undefined) say('the policy denies it');
    if (verdict?.verdict === 'requires_approval') {
      const given = used.filter((request) => request !== undefined);
      const people = new Set(given.flatMap(({ approvers }) => [...approvers]));
      if (override === undefined && people.size < verdict.requires.count) say('too few approved');
      for (const request of given) {
        const isBound = request.step === id && request.digest === data.subjectDigest;
        if (request.kind === 'start' && !isBound) say('they approved something else');
        if (request.status !== 'approved') say(`its approval is ${request.status}`);
        if (request.usedBy !== null) say('its approval was used before');
      }
    }
    for (const request of used) if (request !== undefined) request.usedBy = step.attempts;
  }

  #takeRequest({ type, data, actor }: LoggedEvent, say: (what: string) => void): void {
    const { approvalId } = data;
    if (type === 'AttemptNeverStarted') {
      for (const request of this.#requests.values()) {
        if (request.step === data.step && request.usedBy === data.attempt) request.usedBy = null;
      }
    }
    if (approvalId === undefined || approvalId === '') return;
    if (type === 'ApprovalRequested') {
      if (this.#requests.has(approvalId)) say('it was asked before');
      this.#requests.set(approvalId, {
        ...{ step: data.step ?? '', kind: data.kind ?? '', digest: data.subjectDigest ?? '' },
        ...{ count: data.requires?.count ?? 1, status: 'open', approvers: new Set() },
        usedBy: null,
      });
      return;
    }
    const request = this.#requests.get(approvalId);
    if (request === undefined) return;
    if (type === 'ApprovalDecided') {
      if (actor.kind !== 'person') say('only a person decides');
      if (request.status !== 'open') say(`the request is ${request.status}`);
      if (data.subjectDigest !== request.digest) say('they decided on something else');
      if (request.approvers.has(actor.id)) say('they had decided before');
      if (data.decision === 'approve') request.approvers.add(actor.id);
    } else if (type === 'ApprovalResolved') {
      if (data.status === 'approved' && request.approvers.size < request.count) {
        say('too few approved');
      }
      request.status = data.status ?? '';
    } else if (type === 'GatePassed' && request.status !== 'approved') {
      say(`its request is ${request.status}`);
    }
  }

  #writes(id: string): boolean {
    const planned = this.#plan?.steps.find((step) => step.id === id);
    const works = planned?.kind === 'command' || planned?.kind === 'agent';
    return works && planned.scope.write.length > 0;
  }

  #status(id: string): Status {
    return this.#steps.get(id)?.status ?? 'pending';
  }
}

/** People are asked before the step goes on; about a tool, or an override, they are asked beside it. */
function asksFirst({ type, data }: LoggedEvent): boolean {
  return type === 'ApprovalRequested' && (data.kind === 'start' || data.kind === 'gate');
}

/** Null: the event moves no step. */
function statusAfter(type: string, before: Status): Status | 'nothing' | null {
  const moves = MOVES[type];
  if (moves === undefined) return null;
  return moves.find(([from]) => from.includes(before))?.[1] ?? 'nothing';
}

/** What the history says of being cut off: how often, and whether everything that was went on. */
export function interruptionsOf(events: readonly LoggedEvent[]): number {
  return events.filter(({ type }) => type === 'AttemptInterrupted').length;
}
