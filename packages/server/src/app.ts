/** Puts the server together: the only file, beside host-main.ts, that knows every folder. */
import { existsSync, rmSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { decodeRunEvent } from '@ccdash/api';
import { assertInvariant, err, ok } from '@ccdash/core';
import type {
  Actor,
  Clock,
  CommandFacts,
  Failure,
  JsonObject,
  Plan,
  Policy,
  PolicyActor,
  PolicyVerdict,
  Result,
  RunEvent,
  Step,
  StoredEvent,
} from '@ccdash/core';
import type { CaseResult } from './agents/conformance/check-adapter.ts';
import { PROVIDER_KEYS, PROVIDER_VARIABLES } from './agents/gateway/services.ts';
import { recordingOf } from './agents/recording/recording.ts';
import { createAdapters } from './agents/registry.ts';
import { moveState, packState, partsIn, unpackState } from './care/archive.ts';
import { createArtifactStore } from './artifacts/artifact-store.ts';
import { webFolders } from './base/assets.ts';
import { jsonDigest } from './base/json-digest.ts';
import { isPathNamed } from './base/path-globs.ts';
import type { People } from './base/people.ts';
import { projectStateDir } from './base/project-state.ts';
import { createRandomIds } from './base/random-ids.ts';
import { createSystemClock } from './base/system-clock.ts';
import type { ReportFormat } from './base/run-evidence.ts';
import { replayLog } from './base/replay-log.ts';
import type { PolicyDesk } from './base/policy-desk.ts';
import type { Workbench, WorkbenchRefusal } from './base/workbench.ts';
import { assembleEngine } from './engine/assemble-engine.ts';
import { createWorkbench } from './engine/create-workbench.ts';
import type { CrashPoint, EngineDeps } from './engine/deps.ts';
import { commandFacts, startPolicyFacts } from './engine/facts.ts';
import { createFeatureIndex } from './features/feature-index.ts';
import { createAttemptHosts } from './host/attempt-hosts.ts';
import { openHttpServer } from './http/open-http-server.ts';
import { readWebFiles } from './http/web-files.ts';
import { createPeople } from './people/create-people.ts';
import { createOsKeyring } from './keyring/os-keyring.ts';
import type { Keyring } from './keyring/os-keyring.ts';
import { evaluateCondition } from './plans/conditions.ts';
import { checkPlan, loadPlan } from './plans/load-plan.ts';
import { renderTemplate } from './plans/templates.ts';
import { readPolicyCases, runPolicyCases } from './policy/policy-cases.ts';
import type { PolicyCaseResult } from './policy/policy-cases.ts';
import type { PolicyFile, PolicyProblem } from './policy/policy-problem.ts';
import {
  checkRules,
  describePolicy,
  loadProjectPolicy,
  readProjectPolicy,
  shippedAsProject,
  shippedPolicy,
} from './policy/project-policy.ts';
import { initProject } from './project-config/init-project.ts';
import { loadProjectConfig, readProjectConfig } from './project-config/load-project-config.ts';
import { differenceOf, keepAccepted, readAccepted } from './project-config/accepted-files.ts';
import type { AcceptedFile } from './project-config/accepted-files.ts';
import { readReport, renderReport } from './report/report-file.ts';
import { classifyCommand } from './risk/classify-command.ts';
import { classifyTool } from './risk/classify-tool.ts';
import { probeBubblewrap } from './sandbox/create-sandbox.ts';
import { profileEnv } from './sandbox/profile-env.ts';
import { verifyEvidence } from './store/run-evidence.ts';
import type { EvidenceTrust } from './store/run-evidence.ts';
import { originInHeads } from './store/heads-file.ts';
import { acquireStateLock } from './store/lock.ts';
import type { StateLocked } from './store/lock.ts';
import { CHANGED_HINT } from './store/open-refusal.ts';
import type { LogRefused, OpenRefusal } from './store/open-refusal.ts';
import { openLogToRead as readLog } from './store/read-log.ts';
import type { ReadLog } from './store/read-log.ts';
import { openSqliteEventStore } from './store/sqlite-event-store.ts';
import type { SqliteEventStore } from './store/sqlite-event-store.ts';
import { CorruptEventError } from './store/stored-row.ts';
import { formatFinding, verifyLog, verifyStore } from './store/verify-log.ts';
import { runChecks } from './validation/run-checks.ts';
import { createWorkspaces } from './workspace/workspaces.ts';

export { initProject, loadPlan, replayLog, verifyLog, formatFinding };
export type { ReadLog };

const HEARTBEAT_MS = 60_000;
const ENGINE: Actor = { kind: 'engine', id: 'local' };

export interface WorkbenchOptions {
  readonly projectDir: string;
  /** This project's own folder below the state home. */
  readonly stateDir: string;
  /** Told when a test may kill the process. */
  readonly crashPoint?: (point: CrashPoint, runId: string) => void;
  /** The machine's, unless a test sets it forth or back. */
  readonly clock?: Clock;
  /** A notice for people: a bug that was contained, a file that is not in force. */
  readonly say?: (line: string) => void;
}

export interface OpenWorkbench {
  readonly workbench: Workbench;
  readonly people: People;
  readonly policy: PolicyDesk;
  readonly report: (runId: string, format: ReportFormat) => Result<string, WorkbenchRefusal>;
  readonly artifactPath: (sha256: string) => string;
  /** Lets go of the state folder; hosts go on. Idempotent. */
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly projectDir: string;
  readonly stateHome: string;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly say?: (line: string) => void;
}

export interface RunningServer {
  readonly url: string;
  readonly loginUrl: string;
  readonly token: string;
  close(): Promise<void>;
  readonly closed: Promise<void>;
}

/** Opens the log of a state folder that no engine holds: to export or verify it. */
export function openLog(stateDir: string): Result<SqliteEventStore, OpenRefusal> {
  return openSqliteEventStore({
    path: join(stateDir, 'log.db'),
    keyDir: join(stateDir, 'keys'),
    origin: originOf(stateDir),
  });
}

/** The log of a state folder, to look at only: also one that is refused, or that a server has open. */
export function openLogToRead(stateDir: string): Result<ReadLog, LogRefused> {
  return readLog({
    path: join(stateDir, 'log.db'),
    keyDir: join(stateDir, 'keys'),
    origin: originOf(stateDir),
  });
}

/** Names the log in its heads: as they do by now, wherever the folder has been moved since, or by the folder's name. */
function originOf(stateDir: string): string {
  return originInHeads(join(stateDir, 'log.db')) ?? `ccdash/${stateDir.split('/').at(-1) ?? 'log'}`;
}

/**
 * Opens a project's log, takes up its unfinished runs, and takes new work.
 * Errors: Failure `state_locked` when another engine owns the folder; what the log, the policy or the config refuse.
 */
export async function openWorkbench(
  options: WorkbenchOptions,
): Promise<Result<OpenWorkbench, Failure>> {
  const { projectDir, stateDir } = options;
  const say = options.say ?? (() => undefined);
  const lock = acquireStateLock(stateDir);
  if (!lock.ok) return err(lockFailure(lock.error));
  const opened = openLog(stateDir);
  if (!opened.ok) {
    lock.value.release();
    return err(logFailure(opened.error));
  }
  const store = opened.value;
  const sound = readGlobals(store);
  if (!sound.ok) {
    store.close();
    lock.value.release();
    return sound;
  }
  const { trusted, epoch } = sound.value;
  const give = (failure: Failure): Result<never, Failure> => {
    store.close();
    lock.value.release();
    return err(failure);
  };
  const policy = loadProjectPolicy(projectDir, trusted.policy);
  if (!policy.ok) return give(policy.error);
  if (trusted.policy !== null && policy.value.policy.digest !== trusted.policy) {
    // The shipped rules may be looser than those the owner trusted: changed files must not loosen anything.
    return give({
      code: 'policy_changed',
      message: `the policy that was trusted for this project is no longer there. ${policy.value.notice ?? ''}`,
      hint: 'restore .ccdash/policy as it was, or accept it as it is now: ccdash trust',
    });
  }
  const config = loadProjectConfig(projectDir, trusted.config);
  if (!config.ok) return give(config.error);
  for (const { notice } of [policy.value, config.value]) if (notice !== null) say(notice);

  const begun = await store.append({
    runId: null,
    expectedSequence: null,
    events: [
      { type: 'EngineStarted', at: new Date().toISOString(), actor: ENGINE, data: { epoch } },
    ],
  });
  if (!begun.ok) return give(storeFailure(JSON.stringify(begun.error)));

  const hosts = createAttemptHosts({
    stateDir,
    host: hostCommand(),
    epoch,
    poolIdleLimitMs: config.value.config.orphanLimitMs,
    probeSandbox: once(() => probeBubblewrap(process.env['PATH'] ?? '')),
    onDisplaced: ({ runId, step }) => {
      say(`a later engine has taken over ${runId} ${step}; this one should not be running`);
    },
  });
  const workspaces = createWorkspaces({ stateDir });
  const artifacts = createArtifactStore(join(stateDir, 'artifacts'));
  const scriptFile = process.env['CCDASH_SCRIPTED_MODEL'];
  const keyring = createOsKeyring({ platform: process.platform, env: process.env });
  const deps: EngineDeps = {
    store,
    decodeRunEvent: decodeStored,
    workspaces,
    hosts,
    adapters: createAdapters(config.value.config.agents),
    policy: policy.value.policy,
    classify: classifyCommand,
    classifyTool,
    clock: options.clock ?? createSystemClock(),
    ids: createRandomIds(),
    projectDir,
    agentStateDir: (runId, step) => join(stateDir, 'agents', runId, step),
    upstream: scriptFile === undefined ? { kind: 'service' } : { kind: 'scripted', scriptFile },
    secret: (name) => process.env[name],
    otherAdmins: (person) =>
      people.list().filter(({ id, roles, revokedAt }) => {
        return id !== person && revokedAt === null && roles.includes('admin');
      }).length,
    revokedAmong: ({ decisions, requires }) =>
      decisions
        .filter(
          ({ decision, approver }) => decision === 'approve' && people.hasLost(approver, requires),
        )
        .map(({ approver }) => approver),
    // A scripted model needs no key, and nobody is to be asked to unlock one for it.
    providerSecrets: async () => (scriptFile === undefined ? providerSecrets(keyring, say) : {}),
    profileEnv: (profile) => profileEnv(profile, process.env),
    readPaths: config.value.config.sandbox.read,
    orphanLimitMs: config.value.config.orphanLimitMs,
    epoch,
    evaluateCondition,
    renderTemplate: (text, { inputs, steps, context }) => {
      const outputs: Record<string, JsonObject> = {};
      for (const [step, state] of Object.entries(steps)) outputs[step] = state.outputs;
      const rendered = renderTemplate(text, { context, inputs, outputs });
      return rendered.ok ? ok(rendered.value.text) : rendered;
    },
    runChecks: (checks, context) =>
      runChecks(
        { workspaces, isAllowedPath: isPathNamed, secret: (name) => process.env[name] },
        checks,
        context,
      ),
    keepArtifact: (name, bytes) => artifacts.keep(name, bytes),
    recordingOf,
    digest: jsonDigest,
    isAllowedPath: isPathNamed,
    reportBug: (runId, error) => {
      say(
        `run ${runId} is set aside: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    },
    ...(options.crashPoint === undefined ? {} : { crashPoint: options.crashPoint }),
  };
  const engine = assembleEngine(deps);
  const people = createPeople({
    owner: ownerName(),
    events: store.readGlobal(),
    append: (events) => engine.appendGlobal(events),
    keyDir: join(stateDir, 'keys'),
    clock: deps.clock,
  });
  const workbench = createWorkbench(deps, engine, {
    verify: async () => {
      const verified = await verifyStore(store);
      if (verified.ok) {
        const { size, root } = verified.value;
        const { bypasses, problem } = replayLog(store.readAll(0, size));
        return { ok: problem === null, size, root, bypasses, problem };
      }
      const { error } = verified;
      const problem =
        error.type === 'LogInvalid'
          ? { position: error.finding.position, detail: formatFinding(error.finding) }
          : { position: null, detail: error.detail };
      return { ok: false, size: store.size(), root: '', bypasses: null, problem };
    },
    export: () => {
      const lines = store.exportLog();
      if (!lines.ok) throw new Error(lines.error.detail);
      return lines.value;
    },
  });
  engine.open();
  void store.check().then((problem) => {
    if (problem !== null) say(`${problem}. ${CHANGED_HINT} Nothing more is written to it.`);
  });
  const heartbeat = setInterval(() => {
    const signed = store.heartbeat();
    if (!signed.ok) say(`the log's head could not be signed: ${signed.error.detail}`);
  }, HEARTBEAT_MS);
  heartbeat.unref();

  let closing: Promise<void> | null = null;
  const close = async (): Promise<void> => {
    clearInterval(heartbeat);
    await engine.close();
    hosts.close();
    store.close();
    lock.value.release();
  };
  const inForce = policy.value;
  const policyDesk: PolicyDesk = {
    describe: once(() => describePolicy(inForce)),
    check: async (plan, step, requester) => {
      const { verdict, does } = await judgeStep(inForce.policy, plan, step, requester);
      return { ...verdict, does };
    },
  };
  const report: OpenWorkbench['report'] = (runId, format) => {
    const evidence = store.evidence(runId);
    if (!evidence.ok) return evidence;
    if (evidence.value === null) return err({ type: 'RunNotFound', runId });
    const made = renderReport(evidence.value, [...store.readRun(runId)], format);
    return made.ok ? ok(made.value.file) : err({ type: 'Quarantined', runId, detail: made.error });
  };
  return ok({
    workbench,
    people,
    policy: policyDesk,
    report,
    artifactPath: (sha256) => artifacts.pathOf(sha256),
    close: () => (closing ??= close()),
  });
}

/** Digests of what comes with the repository and takes effect only once its owner has accepted it. */
export interface Trusted {
  readonly policy: string | null;
  readonly config: string | null;
}

/** What a backup holds, or a restored folder: entries of its log and the root of their tree. */
export interface LogExtent {
  readonly size: number;
  readonly root: string;
}

/**
 * Writes a state folder to `file` as one archive, its log verified first.
 * Errors: Failure `state_locked` while a server owns it; `no_log`; `file_exists`; what the log or the disk refuse.
 */
export async function backupState(
  stateDir: string,
  file: string,
): Promise<Result<LogExtent, Failure>> {
  if (!existsSync(join(stateDir, 'log.db'))) {
    const hint = 'run something first: ccdash exec -- true';
    return err({ code: 'no_log', message: 'nothing has run in this project yet', hint });
  }
  const lock = acquireStateLock(stateDir);
  if (!lock.ok) return err(lockFailure(lock.error));
  try {
    const extent = await verifiedExtent(stateDir);
    if (!extent.ok) return extent;
    const packed = packState(stateDir, file);
    return packed.ok ? extent : packed;
  } finally {
    lock.value.release();
  }
}

/**
 * Makes an archive the state of a project that has none yet; only once its log is proven to be whole.
 * Errors: Failure `state_exists`; `not_a_backup`; `log_invalid`; what tar or the disk refuse. Then nothing is changed.
 */
export async function restoreState(
  stateDir: string,
  file: string,
): Promise<Result<LogExtent, Failure>> {
  const parts = partsIn(stateDir);
  if (parts.length > 0) {
    const message = `${stateDir} holds the state of this project already (${parts.join(', ')})`;
    const hint = 'move that folder away, or set CCDASH_HOME to another one';
    return err({ code: 'state_exists', message, hint });
  }
  const unpacked = unpackState(file, stateDir);
  if (!unpacked.ok) return unpacked;
  const extent = await verifiedExtent(unpacked.value);
  if (extent.ok) moveState(unpacked.value, stateDir);
  else rmSync(unpacked.value, { recursive: true, force: true });
  return extent;
}

/** Every entry against tree and heads; whatever SQLite keeps beside the log is in it afterwards. */
async function verifiedExtent(stateDir: string): Promise<Result<LogExtent, Failure>> {
  const opened = openLog(stateDir);
  if (!opened.ok) return err(logFailure(opened.error));
  try {
    const verified = await verifyStore(opened.value);
    if (verified.ok) return ok({ size: verified.value.size, root: verified.value.root });
    const { error } = verified;
    const what = error.type === 'LogInvalid' ? formatFinding(error.finding) : error.detail;
    const message = `the log is not whole: ${what}`;
    return err({
      code: 'log_invalid',
      message,
      hint: 'see ccdash audit verify, or take another backup',
    });
  } finally {
    opened.value.close();
  }
}

/** What `.ccdash/` holds beside what was accepted last. */
export interface TrustComparison {
  readonly now: Trusted;
  readonly isTrusted: boolean;
  /** Lines of a diff from what was accepted (before the first time: from the rules that ship) to what is there. */
  readonly difference: readonly string[];
}

/** Errors: Failure of what the files or the log refuse. Reads only: also while a server owns the state folder. */
export function compareTrusted(
  projectDir: string,
  stateDir: string,
): Result<TrustComparison, Failure> {
  const found = readAcceptable(projectDir);
  if (!found.ok) return found;
  const last = trustedInLog(stateDir);
  if (!last.ok) return last;
  const { policy, config } = found.value;
  const now = { policy: policy?.digest ?? null, config: config?.digest ?? null };
  const acceptedOf = (digest: string | null, first: readonly AcceptedFile[]) =>
    digest === null ? first : (readAccepted(stateDir, digest) ?? []);
  const before = [
    ...acceptedOf(last.value.policy, shippedAsProject()),
    ...acceptedOf(last.value.config, []),
  ];
  const difference = differenceOf(before, [...(policy?.files ?? []), ...(config?.files ?? [])]);
  return ok({ now, isTrusted: isDeepStrictEqual(now, last.value), difference });
}

/** What of `.ccdash/` counts, read and fit to be in force; null where it holds nothing of the kind. */
function readAcceptable(
  projectDir: string,
): Result<Readonly<Record<keyof Trusted, Acceptable | null>>, Failure> {
  const policy = readProjectPolicy(projectDir);
  if (!policy.ok) return policy;
  const config = readProjectConfig(projectDir);
  if (!config.ok) return config;
  // What is accepted must be usable: a mistake is told now, not when the next server starts.
  const usable = [
    loadProjectPolicy(projectDir, policy.value?.digest ?? null),
    loadProjectConfig(projectDir, config.value?.digest ?? null),
  ].find((loaded) => !loaded.ok);
  if (usable?.ok === false) return err(usable.error);
  const settings = config.value;
  return ok({
    policy: policy.value,
    config: settings === null ? null : { digest: settings.digest, files: [settings] },
  });
}

interface Acceptable {
  readonly digest: string;
  readonly files: readonly AcceptedFile[];
}

/**
 * Accepts a project's `.ccdash/` as it is now, in the log; with `shown`, only if that is still what was shown.
 * Errors: Failure `state_locked` while a server owns the state folder; `moved`; what the files or the log refuse.
 */
export async function trustProject(
  projectDir: string,
  stateDir: string,
  person: string,
  shown: Trusted | null = null,
): Promise<Result<Trusted, Failure>> {
  const found = readAcceptable(projectDir);
  if (!found.ok) return found;
  const { policy, config } = found.value;
  const trusted = { policy: policy?.digest ?? null, config: config?.digest ?? null };
  if (shown !== null && !isDeepStrictEqual(shown, trusted)) {
    const message = 'the files in .ccdash/ have changed since they were shown';
    return err({ code: 'moved', message, hint: 'look again: ccdash trust' });
  }
  const lock = acquireStateLock(stateDir);
  if (!lock.ok) return err(lockFailure(lock.error));
  const opened = openLog(stateDir);
  if (!opened.ok) {
    lock.value.release();
    return err(logFailure(opened.error));
  }
  const store = opened.value;
  for (const each of [policy, config]) {
    if (each !== null) keepAccepted(stateDir, each.digest, each.files);
  }
  const actor: Actor = { kind: 'person', id: person };
  const at = new Date().toISOString();
  const appended = await store.append({
    runId: null,
    expectedSequence: null,
    events: [{ type: 'ProjectTrusted', at, actor, data: trusted }],
    seal: true,
  });
  store.close();
  lock.value.release();
  return appended.ok ? ok(trusted) : err(storeFailure(JSON.stringify(appended.error)));
}

/** Holds an installed agent to the conformance cases; see there. They are loaded for this alone. */
export async function checkAdapter(
  id: string,
  onCase: (result: CaseResult) => void,
  project: { readonly dir: string; readonly stateDir: string } | null,
): Promise<Result<readonly CaseResult[], Failure>> {
  const { checkAdapter: check } = await import('./agents/conformance/check-adapter.ts');
  // Others need no project.
  if (!id.startsWith('acp:') || project === null) return check(id, onCase);
  // The programs that settings name are started: only of those that the owner has accepted.
  const trusted = trustedInLog(project.stateDir);
  if (!trusted.ok) return trusted;
  const config = loadProjectConfig(project.dir, trusted.value.config);
  if (!config.ok) return config;
  const { notice, config: settings } = config.value;
  if (notice !== null && !Object.hasOwn(settings.agents, id.slice('acp:'.length))) {
    return err({ code: 'config_untrusted', message: notice, hint: null });
  }
  return check(id, onCase, createAdapters(settings.agents));
}

/** The owner's newest word, also while a server has the log open. */
function trustedInLog(stateDir: string): Result<Trusted, Failure> {
  let trusted: Trusted = { policy: null, config: null };
  if (!existsSync(join(stateDir, 'log.db'))) return ok(trusted);
  const log = openLogToRead(stateDir);
  if (!log.ok) return err(logFailure(log.error));
  try {
    for (const line of log.value.lines()) {
      const { type, body } = JSON.parse(line) as { readonly type: string; readonly body: string };
      if (type !== 'event') continue;
      const event = JSON.parse(body) as { readonly type: string; readonly data: unknown };
      if (event.type === 'ProjectTrusted') trusted = event.data as Trusted;
    }
  } finally {
    log.value.close();
  }
  return ok(trusted);
}

/** What holds of a report: checked with nothing but the file, and what the reader has from elsewhere. */
export interface VerifiedReport {
  readonly runId: string;
  readonly status: string;
  readonly entries: number;
  /** Entries of the log under the head. */
  readonly size: number;
  readonly root: string;
  readonly publicKey: string;
  readonly bypasses: readonly string[];
}

/** Errors: a sentence with the first thing that does not hold.       Rules: RP2, RP3, RP4, RP5 */
export function verifyReport(file: string, trust: EvidenceTrust): Result<VerifiedReport, string> {
  const read = readReport(file);
  if (!read.ok) return read;
  const { format, evidence } = read.value;
  const proven = verifyEvidence(evidence, trust);
  if (!proven.ok) return err(proven.error.detail);
  const { events, ...log } = proven.value;
  const again = renderReport(evidence, events, format);
  if (!again.ok) return again;
  const { file: same, report } = again.value;
  if (same !== file) return err('its text is not what its entries say: somebody has changed it');
  const { bypasses, run } = report;
  return ok({ ...log, status: run.status, entries: events.length, bypasses });
}

/** The workbench with its HTTP API on loopback. `close` is idempotent; `closed` resolves after it. */
export async function startServer(options: ServerOptions): Promise<Result<RunningServer, Failure>> {
  const { projectDir, stateHome, host, port } = options;
  const say = options.say ?? (() => undefined);
  const stateDir = projectStateDir(stateHome, projectDir);
  const opened = await openWorkbench({ projectDir, stateDir, say });
  if (!opened.ok) return opened;
  const { workbench, people, policy, report, artifactPath } = opened.value;
  const close = (): Promise<void> => opened.value.close();
  let settle = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const http = await openHttpServer({
    workbench,
    people,
    policy,
    owner: ownerName(),
    stateDir,
    host,
    port,
    clock: createSystemClock(),
    report,
    artifactPath,
    readPlan: (text, file) => checkPlan(text, { file, projectDir }),
    features: createFeatureIndex({ projectDir, cacheFile: join(stateDir, 'features.json') }),
    web: readWebFiles(webFolders()),
    isReady: () => true,
    requestShutdown: () => {
      void closeAll();
    },
    reportBug: (error) => {
      say(error instanceof Error ? (error.stack ?? error.message) : String(error));
    },
  });
  if (!http.ok) {
    await close();
    return http;
  }
  let closing: Promise<void> | null = null;
  const closeAll = (): Promise<void> => {
    closing ??= http.value.close().then(close).then(settle);
    return closing;
  };
  const { url, loginUrl, token } = http.value;
  return ok({ url, loginUrl, token, close: closeAll, closed });
}

function decodeStored(event: StoredEvent): Result<RunEvent, Failure> {
  const decoded = decodeRunEvent(event);
  if (decoded.ok) return decoded;
  const { detail, hint } = decoded.error;
  const message = `event ${String(event.position)} of the log: ${detail}`;
  return err({ code: 'unreadable_event', message, hint });
}

/**
 * What the owner has accepted (the newest word counts), and the number of the next engine.
 * Errors: Failure `LogCorrupt` at an event that is not what was written.
 */
function readGlobals(
  store: SqliteEventStore,
): Result<{ readonly trusted: Trusted; readonly epoch: number }, Failure> {
  let trusted: Trusted = { policy: null, config: null };
  let epoch = 1;
  try {
    for (const event of store.readGlobal()) {
      if (event.type === 'ProjectTrusted') trusted = event.data as unknown as Trusted;
      if (event.type === 'EngineStarted') epoch += 1;
    }
  } catch (error) {
    if (!(error instanceof CorruptEventError)) throw error;
    return err({ code: 'LogCorrupt', message: error.message, hint: CHANGED_HINT });
  }
  return ok({ trusted, epoch });
}

/** The person whose machine this is: everybody who can read the token may do everything here. */
function ownerName(): string {
  return userInfo().username;
}

/** The sources beside this file, or the bundle (this code may be in one of its chunks). */
const HOST_PROGRAMS = ['host-main.ts', 'host.js', '../host.js'];

/** Hosts get no variable but those that make programs findable. */
function hostCommand(): { command: readonly [string, ...string[]]; env: Record<string, string> } {
  const places = HOST_PROGRAMS.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const program = places.find((place) => existsSync(place));
  assertInvariant(program !== undefined, 'the host program is missing from this installation');
  const source = program.endsWith('.ts') ? ['--conditions=ccdash-source'] : [];
  return {
    command: [process.execPath, ...source, '--disable-warning=ExperimentalWarning', program],
    env: { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin', HOME: homedir() },
  };
}

/**
 * What reaches the model gateway alone: the keys, of the environment or else of the keyring, and where the services
 * are. Looked up for each attempt, so that a key that is put there counts at once.
 */
async function providerSecrets(
  keyring: Keyring,
  say: (line: string) => void,
): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, string> = {};
  for (const name of PROVIDER_VARIABLES) {
    const value = process.env[name];
    if (value !== undefined) found[name] = value;
  }
  for (const name of PROVIDER_KEYS) {
    if ((found[name] ?? '') !== '') continue;
    try {
      const key = await keyring.read(name);
      if (key !== null) found[name] = key;
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  }
  return found;
}

function once<T extends object>(work: () => T): () => T {
  let result: T | null = null;
  return () => (result ??= work());
}

function lockFailure(
  refusal: StateLocked | { readonly type: 'StoreUnavailable'; readonly detail: string },
): Failure {
  if (refusal.type === 'StoreUnavailable') return storeFailure(refusal.detail);
  const who = refusal.pid === null ? '' : ` (process ${String(refusal.pid)})`;
  const message = `another engine${who} owns ${refusal.dir}`;
  return { code: 'state_locked', message, hint: refusal.hint };
}

function logFailure(refusal: OpenRefusal): Failure {
  if (refusal.type === 'StoreUnavailable') return storeFailure(refusal.detail);
  const message = `${refusal.path}: ${refusal.detail}`;
  return { code: refusal.type, message, hint: refusal.hint };
}

function storeFailure(detail: string): Failure {
  return {
    code: 'store_unavailable',
    message: `the log cannot be written: ${detail}`,
    hint: 'make room on the disk or mend it, then try again; nothing is lost',
  };
}

export interface PolicyStanding {
  /** The project's own files as they are now, trusted or not; else the policy that ships. */
  readonly policy: Policy;
  readonly source: 'project' | 'shipped';
  readonly files: readonly string[];
}

/**
 * The policy that a project's files amount to, to try it before it is trusted.
 * Errors: Failure of what cannot be read; the mistakes of the rules, each with its place.
 */
export function policyOfFiles(
  projectDir: string | null,
): Result<PolicyStanding, { failure: Failure } | { problems: readonly PolicyProblem[] }> {
  const read = projectDir === null ? ok(null) : readProjectPolicy(projectDir);
  if (!read.ok) return err({ failure: read.error });
  if (read.value === null) {
    return ok({ policy: shippedPolicy(), source: 'shipped', files: [] });
  }
  const { files } = read.value;
  const checked = checkRules(files);
  if (!checked.ok) return err({ problems: checked.error });
  return ok({ policy: checked.value, source: 'project', files: files.map(({ file }) => file) });
}

const SOMEBODY: PolicyActor = { kind: 'person', id: 'requester', roles: ['operator'] };

/** What a policy says to a step of a plan, asked for by somebody who may run plans, and what its command does. */
export async function judgeStep(
  policy: Policy,
  plan: Plan,
  step: Step,
  requester: PolicyActor = SOMEBODY,
): Promise<{ readonly verdict: PolicyVerdict; readonly does: CommandFacts | null }> {
  const { available } = await probeBubblewrap(process.env['PATH'] ?? '');
  const does = commandFacts({ classify: classifyCommand }, step);
  const facts = startPolicyFacts(plan, step, requester, available, does?.effects ?? []);
  return { verdict: policy.evaluate(facts), does };
}

export function testPolicy(
  policy: Policy,
  cases: PolicyFile,
): Result<readonly PolicyCaseResult[], readonly PolicyProblem[]> {
  const read = readPolicyCases(cases, classifyCommand);
  return read.ok ? ok(runPolicyCases(policy, read.value)) : read;
}
