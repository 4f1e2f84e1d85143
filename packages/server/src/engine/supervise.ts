/**
 * Watches over one live attempt, from launch or re-attachment to its end in the log.
 *
 * Owns: the link to the host. Does not own: the attempt itself, which goes on without this process.
 * 1. Only work whose start this process has just made durable is launched; after a restart an attempt is looked up.
 * 2. Facts are in the log before more are taken; the host is let go only after the end is in the log.
 * 3. Gates are answered, holds and stops are passed on whenever the state says so, also to a host found again.
 */
import {
  SETUP_STEP_ID,
  err,
  mayWriteBeside,
  ok,
  planStep,
  stepState,
  waitingCorrection,
} from '@ccdash/core';
import type {
  AgentFact,
  ArtifactRef,
  AttemptOutcome,
  AttemptReportEnd,
  AttemptState,
  ChangedPath,
  Checkpoint,
  Failure,
  Following,
  HostFact,
  JsonObject,
  Result,
  RunEventData,
  RunState,
  Step,
  StoredEvent,
} from '@ccdash/core';
import { laneOf } from '../base/lanes.ts';
import { launchKey } from './begin.ts';
import { budgetLeft, raiseHint } from './budget-left.ts';
import type { Launchable } from './begin.ts';
import type { EngineDeps } from './deps.ts';
import type { Performed, RunHandle } from './engine.ts';
import type { PreparedWork } from './prepare-step.ts';
import { wellFormed } from './well-formed.ts';

const LARGEST_ARTIFACT_BYTES = 64 * 1024 * 1024;

export interface Supervisor {
  /** Settles when the attempt's end is in the log, or the log no longer takes it. */
  supervise(run: RunHandle, step: string, attempt: number): Promise<Performed>;
  /** Passes on what the state has decided meanwhile: stops, and answers at gates. */
  passOn(run: RunHandle, step: string, attempt: number): void;
  /** Lets go of every link; the hosts go on. */
  close(): void;
}

export function createSupervisor(deps: EngineDeps, launchable: Launchable): Supervisor {
  const { hosts, workspaces } = deps;
  const followingByKey = new Map<string, Following>();
  let closed = false;

  async function supervise(run: RunHandle, stepId: string, number: number): Promise<Performed> {
    const key = launchKey(run.runId, stepId, number);
    const step = planStep(run.state().created.plan, stepId);
    const work = launchable.get(key);
    launchable.delete(key);
    if (step.kind === 'validation') return superviseValidation(run, step, number);
    const ref = { runId: run.runId, step: stepId, attempt: number };
    if (work !== undefined) {
      const launched = await launch(run, step, number, work);
      if (!launched.ok) return end(run, stepId, number, launched.error);
      deps.crashPoint?.('attempt-launched', run.runId);
    } else if ((await hosts.find(ref)) === 'never-started') {
      return end(run, stepId, number, { outcome: 'never-started' });
    }
    if (closed) return 'held';
    return follow(run, step, number, key);
  }

  async function launch(
    run: RunHandle,
    step: Step,
    number: number,
    prepared: PreparedWork,
  ): Promise<Result<void, AttemptReportEnd>> {
    const state = run.state();
    const attempt = attemptOf(state, step.id, number);
    const { runId } = run;
    const keepAs = `${step.id}/${String(number)}-before`;
    const place = workspaceOf(runId, step.id, attempt);
    if (attempt.lane) {
      const opened = await workspaces.openLane(runId, step.id, attempt.inputCheckpoint);
      if (!opened.ok) return err(failedEnd(opened.error));
    }
    if (writes(step) && !goesOnInPlace(state, step, attempt)) {
      const restored = await workspaces.restore(place, attempt.inputCheckpoint, keepAs);
      if (!restored.ok) return err(failedEnd(restored.error));
      deps.crashPoint?.('attempt-restored', runId);
    } else {
      const ready = await workspaces.ready(place, keepAs);
      if (!ready.ok) return err(failedEnd(ready.error));
    }
    if (prepared.copy.length > 0) {
      const carried = await workspaces.carryOver(place, deps.projectDir, prepared.copy);
      if (!carried.ok) return err(failedEnd(carried.error));
    }
    const secrets: Record<string, string> = {};
    for (const name of prepared.secretNames) {
      const value = deps.secret(name);
      if (value !== undefined) secrets[name] = value;
    }
    const provider = prepared.work.kind === 'agent' ? await deps.providerSecrets() : {};
    await hosts.launch(
      {
        runId,
        step: step.id,
        attempt: number,
        epoch: attempt.epoch,
        work: prepared.work,
        workspace: workspaces.pathOf(place),
        sandbox: {
          ...prepared.sandbox,
          readPaths: [...prepared.sandbox.readPaths, ...workspaces.objectPathsOf(place)],
        },
        env: prepared.env,
        secretNames: prepared.secretNames,
        timeoutMs: prepared.timeoutMs,
        orphanLimitMs: deps.orphanLimitMs,
      },
      { ...provider, ...secrets },
    );
    return ok(undefined);
  }

  async function follow(
    run: RunHandle,
    step: Step,
    number: number,
    key: string,
  ): Promise<Performed> {
    const ref = { runId: run.runId, step: step.id, attempt: number };
    const { epoch, reportedSeq } = attemptOf(run.state(), step.id, number);
    const seen: { outcome: AttemptOutcome | null; fenced: boolean } = {
      outcome: null,
      fenced: false,
    };
    const onFacts = async (facts: readonly HostFact[]): Promise<void> => {
      const agentFacts: AgentFact[] = [];
      for (const fact of facts) {
        if (fact.type === 'ended') seen.outcome = fact.outcome;
        else agentFacts.push(fact);
      }
      if (agentFacts.length === 0) return;
      const report = { type: 'ReportAttempt', step: step.id, attempt: number, epoch } as const;
      const applied = await run.apply({ ...report, facts: agentFacts });
      if (!applied.ok) seen.fenced = applied.error.type !== 'Closed';
      deps.crashPoint?.('facts-recorded', run.runId);
    };
    const following = hosts.follow(ref, reportedSeq, (facts) => onFacts(wellFormed(facts)));
    followingByKey.set(key, following);
    passOn(run, step.id, number);
    const how = await following.done;
    followingByKey.delete(key);
    if (closed) return 'held';
    if (!seen.fenced) {
      if (how !== 'ended') await tellUnknown(run, step.id, number);
      const ended =
        how === 'ended' && seen.outcome !== null
          ? await judge(run.state(), step, number, seen.outcome)
          : ({
              outcome: 'interrupted',
              detail: 'its host is gone, and nothing tells how the work ended',
            } as const);
      await end(run, step.id, number, ended);
    }
    hosts.release(ref);
    deps.crashPoint?.('attempt-released', run.runId);
    return 'done';
  }

  /** Calls that a host has not lived to see the end of: whether they took effect nobody knows. */
  async function tellUnknown(run: RunHandle, step: string, attempt: number): Promise<void> {
    const { epoch, reportedSeq } = attemptOf(run.state(), step, attempt);
    const at = new Date(deps.clock.now()).toISOString();
    const facts = openCalls(deps.store.readRun(run.runId), step, attempt).map(
      (callId, index): AgentFact => ({
        ...{ seq: reportedSeq + 1 + index, at, type: 'tool-ended', callId, status: 'unknown' },
        ...{ summary: 'its host is gone; some of it may have taken effect', checkpoint: null },
      }),
    );
    if (facts.length > 0) await run.apply({ type: 'ReportAttempt', step, attempt, epoch, facts });
  }

  async function end(
    run: RunHandle,
    step: string,
    attempt: number,
    ended: AttemptReportEnd,
  ): Promise<Performed> {
    const { epoch } = attemptOf(run.state(), step, attempt);
    await run.apply({ type: 'EndAttempt', step, attempt, epoch, end: ended });
    return 'done';
  }

  /** What an outcome is worth: exit codes, the workspace's scope, artifacts, a checkpoint. */
  async function judge(
    state: RunState,
    step: Step,
    number: number,
    outcome: AttemptOutcome,
  ): Promise<AttemptReportEnd> {
    const { exitCode, output, usage } = outcome;
    if (outcome.status === 'stopped') {
      const { failure } = outcome;
      return { outcome: 'stopped', failure, exitCode, output, usage, checks: [], setAside: null };
    }
    // Its host gave up waiting for an engine: the work was cut off, and may go on where it was.
    if (outcome.status === 'failed' && outcome.failure.code === 'orphaned') {
      return { outcome: 'interrupted', detail: outcome.failure.message, exitCode, output, usage };
    }
    if (outcome.status === 'failed' && isExhausted(state, step, outcome.failure)) {
      const failure = { ...outcome.failure, hint: raiseHint(state.runId, step.id) };
      const kept = await keepAside(state, step, number);
      return { outcome: 'exhausted', failure, exitCode, output, usage, checks: [], setAside: kept };
    }
    const failed = async (failure: Failure, retryable: boolean): Promise<AttemptReportEnd> => ({
      outcome: 'failed',
      retryable,
      failure,
      exitCode,
      output,
      usage,
      checks: [],
      setAside: await setAside(state, step, number),
    });
    if (outcome.status === 'failed') return failed(outcome.failure, outcome.retryable);
    if (step.kind === 'command' && !step.expectedExitCodes.includes(exitCode ?? -1)) {
      return failed(exitFailure(step, exitCode), true);
    }
    const kept = await keepWork(state, step, number);
    if (!kept.ok) return failed(kept.error, false);
    if (step.id === SETUP_STEP_ID && mayWriteBeside(state.created.plan)) {
      // All the others need it, so nothing else is at work.
      const seeded = await workspaces.keepSeed(state.runId);
      if (!seeded.ok) return failed(seeded.error, true);
    }
    deps.crashPoint?.('end-checkpointed', state.runId);
    const { outputs } = outcome;
    const success = { exitCode, outputs, output, usage, checks: [], ...kept.value };
    return { outcome: 'succeeded', ...success };
  }

  /** What a writer has made so far, which stays where it is; null when it changed nothing. */
  async function keepAside(
    state: RunState,
    step: Step,
    number: number,
  ): Promise<Checkpoint | null> {
    if (!writes(step)) return null;
    const { place, parent } = standingOf(state, step, number);
    const made = await workspaces.checkpoint(place, parent, `${step.id}/${String(number)}`);
    return made.ok && made.value.tree !== parent.tree ? made.value : null;
  }

  /** Sets the workspace back, and says where the failed work is kept; null when it changed nothing. */
  async function setAside(state: RunState, step: Step, number: number): Promise<Checkpoint | null> {
    if (!writes(step)) return null;
    const { place, parent } = standingOf(state, step, number);
    const restored = await workspaces.restore(place, parent, `${step.id}/${String(number)}`);
    // The next attempt restores again before it starts, and fails with the reason if it still cannot.
    return restored.ok ? restored.value : null;
  }

  async function keepWork(
    state: RunState,
    step: Step,
    number: number,
  ): Promise<
    Result<
      {
        readonly checkpoint: Checkpoint;
        readonly changedPaths: number;
        readonly artifacts: readonly ArtifactRef[];
      },
      Failure
    >
  > {
    const { sandbox } = attemptOf(state, step.id, number);
    const { place, parent } = standingOf(state, step, number);
    let checkpoint = parent;
    let changed: readonly ChangedPath[] = [];
    // A read-only mount needs no look; without the sandbox nothing else tells what was written.
    if (writes(step) || sandbox === 'none') {
      const made = await workspaces.checkpoint(place, parent, `${step.id}/${String(number)}`);
      if (!made.ok) return made;
      checkpoint = made.value;
      const changes = await workspaces.changes(place, parent, checkpoint);
      if (!changes.ok) return changes;
      changed = changes.value;
    }
    const outside = changed.filter(({ path }) => !deps.isAllowedPath(step.scope.write, path));
    if (outside.length > 0) return err(scopeViolation(step, outside));
    const artifacts = await keepArtifacts(place, step);
    if (!artifacts.ok) return artifacts;
    return ok({ checkpoint, changedPaths: changed.length, artifacts: artifacts.value });
  }

  async function keepArtifacts(
    place: string,
    step: Step,
  ): Promise<Result<readonly ArtifactRef[], Failure>> {
    const globs = 'artifacts' in step ? step.artifacts : [];
    if (globs.length === 0) return ok([]);
    const matched = await workspaces.match(place, globs);
    if (!matched.ok) return matched;
    const kept: ArtifactRef[] = [];
    for (const path of matched.value) {
      const bytes = await workspaces.readFile(place, path, LARGEST_ARTIFACT_BYTES);
      if (!bytes.ok) return bytes;
      const leaked = leakedSecret(deps, step, bytes.value);
      if (leaked !== null) return err(leakFailure(path, leaked));
      const ref = await deps.keepArtifact(path, bytes.value);
      if (!ref.ok) return ref;
      kept.push(ref.value);
    }
    return ok(kept);
  }

  async function superviseValidation(
    run: RunHandle,
    step: Extract<Step, { kind: 'validation' }>,
    number: number,
  ): Promise<Performed> {
    const state = run.state();
    const checkpoint = state.checkpoint ?? attemptOf(state, step.id, number).inputCheckpoint;
    const base = state.origin ?? checkpoint;
    const context = { runId: run.runId, state, base, checkpoint };
    const checks = await deps.runChecks(step.checks, context);
    deps.crashPoint?.('validation-checked', run.runId);
    const passed = checks.filter((check) => check.pass).length;
    const common = { exitCode: null, output: null, usage: null, checks };
    if (passed === checks.length) {
      const outputs: JsonObject = { passed };
      const success = { ...common, outputs, checkpoint, artifacts: [], changedPaths: 0 };
      return end(run, step.id, number, { outcome: 'succeeded', ...success });
    }
    const failure = checksFailure(checks);
    const failed = { ...common, failure, retryable: false, setAside: null };
    return end(run, step.id, number, { outcome: 'failed', ...failed });
  }

  function passOn(run: RunHandle, step: string, number: number): void {
    const following = followingByKey.get(launchKey(run.runId, step, number));
    const state = run.state();
    const live = stepState(state, step);
    const attempt = live.attempts[number - 1];
    if (following === undefined || attempt?.status !== 'running') return;
    if (state.cancelRequest !== null) {
      following.stop(`the run is canceled: ${state.cancelRequest.reason}`);
      return;
    }
    if (live.invalidated) {
      following.stop('a step it depends on runs again');
      return;
    }
    if (waitingCorrection(live) !== undefined) {
      following.stop('a person corrects it');
      return;
    }
    for (const { id, text, status } of live.messages) {
      if (status === 'waiting') following.tell(id, text);
    }
    if (state.wasPaused) following.hold(state.paused !== null);
    if (state.paused !== null) return;
    for (const gate of attempt.gates) {
      if (gate.status !== 'decided' || gate.decision === null) continue;
      following.answer(gate.gateId, gate.decision, gate.reason ?? '');
    }
  }

  return {
    supervise,
    passOn,
    close: () => {
      closed = true;
      for (const following of followingByKey.values()) following.detach();
      followingByKey.clear();
    },
  };
}

/** Ids of the calls of an attempt that have begun and not ended, by its events in the log. */
function openCalls(
  events: Iterable<StoredEvent>,
  step: string,
  attempt: number,
): readonly string[] {
  const open = new Set<string>();
  for (const { type, data } of events) {
    if (type !== 'AttemptReported') continue;
    const reported = data as unknown as RunEventData['AttemptReported'];
    if (reported.step !== step || reported.attempt !== attempt) continue;
    for (const fact of reported.facts) {
      if (fact.type === 'tool-started') open.add(fact.callId);
      if (fact.type === 'tool-ended') open.delete(fact.callId);
    }
  }
  return [...open];
}

function writes(step: Step): boolean {
  return (step.kind === 'command' || step.kind === 'agent') && step.scope.write.length > 0;
}

/** Where an attempt works: the workspace of its run, or one of its own. */
export function workspaceOf(runId: string, step: string, { lane }: AttemptState): string {
  return lane ? laneOf(runId, step) : runId;
}

/** Where an attempt works, and the checkpoint that it stands on there. */
function standingOf(
  state: RunState,
  step: Step,
  number: number,
): { readonly place: string; readonly parent: Checkpoint } {
  const attempt = attemptOf(state, step.id, number);
  const place = workspaceOf(state.runId, step.id, attempt);
  const { inputCheckpoint } = attempt;
  return { place, parent: attempt.lane ? inputCheckpoint : (state.checkpoint ?? inputCheckpoint) };
}

/** Only an interrupted attempt leaves half-done work in the workspace that the next one wants. */
function goesOnInPlace(state: RunState, step: Step, attempt: AttemptState): boolean {
  if (attempt.resumedFrom === null) return false;
  return attemptOf(state, step.id, attempt.resumedFrom).status === 'interrupted';
}

/** Whether it ended since it may use no more, whatever it had still to do. */
function isExhausted(state: RunState, step: Step, { code }: Failure): boolean {
  if (step.kind !== 'agent') return false;
  if (code !== 'timed_out') return code === 'limit_reached';
  const { maxTimeMs } = budgetLeft(state, step.id);
  return maxTimeMs !== null && maxTimeMs <= (step.timeoutMs ?? Infinity);
}

function attemptOf(state: RunState, step: string, number: number): AttemptState {
  const attempt = stepState(state, step).attempts[number - 1];
  if (attempt === undefined)
    throw new Error(`${state.runId} ${step} has no attempt ${String(number)}`);
  return attempt;
}

function failedEnd(failure: Failure): AttemptReportEnd {
  const nothing = { exitCode: null, output: null, usage: null, checks: [], setAside: null };
  return { outcome: 'failed', retryable: false, failure, ...nothing };
}

/** The name of a secret of the step whose value is in `bytes`; null when there is none. */
function leakedSecret(deps: EngineDeps, step: Step, bytes: Uint8Array): string | null {
  const names = 'secrets' in step ? step.secrets : [];
  const found = names.find((name) => {
    const value = deps.secret(name) ?? '';
    return value !== '' && Buffer.from(bytes).includes(value);
  });
  return found ?? null;
}

function leakFailure(path: string, name: string): Failure {
  return {
    code: 'secret_in_artifact',
    message: `${path} holds the value of the secret ${name}, and is not kept`,
    hint: 'let the step write it elsewhere, or leave it out of its artifacts',
  };
}

function exitFailure(step: Extract<Step, { kind: 'command' }>, exitCode: number | null): Failure {
  const expected = step.expectedExitCodes.join(' or ');
  return {
    code: 'exit_code',
    message: `it ended with exit code ${String(exitCode)}, expected ${expected}`,
    hint: 'read its output, mend the cause, and retry the step',
  };
}

function scopeViolation(step: Step, outside: readonly ChangedPath[]): Failure {
  const named = outside.slice(0, 5).map(({ path }) => path);
  const more =
    outside.length > named.length ? ` and ${String(outside.length - named.length)} more` : '';
  return {
    code: 'scope_violation',
    message: `${step.id} changed ${named.join(', ')}${more}, outside scope.write`,
    hint: 'widen scope.write of the step in the plan, or let the step leave these paths alone',
  };
}

function checksFailure(
  checks: readonly { readonly pass: boolean; readonly check: string; readonly evidence: string }[],
): Failure {
  const failed = checks.filter((check) => !check.pass);
  const words = failed.map((check) => `${check.check}: ${check.evidence}`).join('; ');
  return {
    code: 'checks_failed',
    message: `${String(failed.length)} of ${String(checks.length)} checks failed: ${words}`,
    hint: 'mend the cause, then retry the step',
  };
}
