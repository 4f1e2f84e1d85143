/** The agents of this installation, by id. SDKs are loaded when they are first needed: they weigh hundreds of megabytes. */
import type { ChildProcess } from 'node:child_process';
import { AGENT_ADAPTER_INTERFACE_VERSION, assertInvariant, err, ok } from '@ccdash/core';
import type {
  AdapterCapabilities,
  AdapterProbe,
  AdapterView,
  AgentAdapter,
  AgentLaunch,
  Failure,
  ResumeToken,
  Result,
} from '@ccdash/core';
import { extensionFailure } from './installed-adapter.ts';
import type { InstalledAdapter } from './installed-adapter.ts';

export interface AgentAdapters {
  readonly ids: readonly string[];
  /** Null when no adapter has this id. */
  adapterOf(id: string): Promise<AgentAdapter<ChildProcess> | null>;
  /** Every adapter as it stands here; programs that are installed are started to see that they run. */
  describe(): Promise<readonly AdapterView[]>;
  /** Null when no adapter has this id. */
  capabilities(id: string): Promise<AdapterCapabilities | null>;
  /** Null when no adapter has this id. */
  probe(id: string): Promise<AdapterProbe | null>;
  /** Why an agent cannot follow what a step says under `ext`; null when it can, or nobody has this id. */
  extensionFailure(id: string, ext: Readonly<Record<string, unknown>>): Promise<Failure | null>;
  /** Whether the session that `token` names, kept in `stateDir`, can go on. Errors: Failure `resume_refused`, `unknown_adapter`. */
  canResume(token: ResumeToken, stateDir: string): Promise<Result<void, Failure>>;
  /** Absolute paths that the sandbox of such an agent must show, read-only. */
  requiredPaths(id: string): Promise<readonly string[]>;
  /** How an agent is started that the project's settings name; null for every other. */
  launch(id: string): Promise<AgentLaunch | null>;
}

const LOADERS: Readonly<Record<string, () => Promise<InstalledAdapter>>> = {
  claude: async () => (await import('./claude/claude-adapter.ts')).createClaudeAdapter(),
  codex: async () => (await import('./codex/codex-adapter.ts')).createCodexAdapter(),
  scripted: async () => (await import('./scripted/scripted-adapter.ts')).createScriptedAdapter(),
};

/** Agents that the project's settings name, by the part of their id after it. */
const NAMED = 'acp:';

/** `named`: how the agents `acp:<name>` are started, by name. */
export function createAdapters(named: Readonly<Record<string, AgentLaunch>> = {}): AgentAdapters {
  const ids = [...Object.keys(LOADERS), ...Object.keys(named).map((name) => `${NAMED}${name}`)];
  const loaded = new Map<string, Promise<InstalledAdapter>>();

  function loaderOf(id: string): (() => Promise<InstalledAdapter>) | null {
    if (Object.hasOwn(LOADERS, id)) return LOADERS[id] ?? null;
    const name = id.slice(NAMED.length);
    if (!id.startsWith(NAMED) || name === '') return null;
    const launch = Object.hasOwn(named, name) ? (named[name] ?? null) : null;
    return async () => (await import('./acp/acp-adapter.ts')).createAcpAdapter(id, launch);
  }

  async function load(id: string): Promise<InstalledAdapter | null> {
    const loader = loaderOf(id);
    if (loader === null) return null;
    let adapter = loaded.get(id);
    if (adapter === undefined) loaded.set(id, (adapter = loader()));
    return adapter;
  }

  return {
    ids,
    adapterOf: load,
    describe: () =>
      Promise.all(
        ids.map(async (id) => {
          const adapter = await load(id);
          assertInvariant(adapter !== null, `the adapter ${id} is gone`);
          return describeAdapter(adapter);
        }),
      ),
    capabilities: async (id) => (await load(id))?.capabilities ?? null,
    probe: async (id) => (await (await load(id))?.probe()) ?? null,
    extensionFailure: async (id, ext) => {
      const adapter = await load(id);
      return adapter === null ? null : extensionFailure(adapter, ext);
    },
    canResume: async (token, stateDir) => {
      const adapter = await load(token.adapter);
      if (adapter === null) {
        return err({
          code: 'unknown_adapter',
          message: `this version has no agent ${token.adapter}`,
          hint: `it has: ${ids.join(', ')}`,
        });
      }
      const may = await adapter.canResume(token);
      if (!may.ok) return err(may.failure);
      if (adapter.hasSession(token.session, stateDir)) return ok(undefined);
      return err({
        code: 'session_gone',
        message: `the session ${token.session} of the agent ${token.adapter} is no longer in ${stateDir}`,
        hint: null,
      });
    },
    requiredPaths: async (id) => (await load(id))?.requiredPaths() ?? [],
    launch: async (id) => (await load(id))?.launch ?? null,
  };
}

async function describeAdapter(adapter: InstalledAdapter): Promise<AdapterView> {
  const probe = await adapter.probe();
  const broken = probe.available ? await (adapter.health?.() ?? null) : null;
  const { id, version: adapterVersion, capabilities, skipped = [], tested } = adapter;
  return {
    id,
    status: !probe.available ? 'not-installed' : broken === null ? 'ready' : 'broken',
    problem: probe.problem ?? broken,
    // An agent may lack something else than the package that it was tested with.
    install: probe.available ? (tested?.install ?? null) : probe.install,
    interfaceVersion: AGENT_ADAPTER_INTERFACE_VERSION,
    adapterVersion,
    testedVersion: tested?.version ?? null,
    sdkVersion: probe.sdkVersion,
    programVersion: probe.programVersion,
    capabilities,
    skipped,
  };
}
