import type { AgentLaunch, Failure, ResumeToken } from '@ccdash/core';
import type { InstalledAdapter } from '../installed-adapter.ts';
import { INSTALL_COMMAND, TESTED_VERSION, findAcp } from './acp-install.ts';
import { launchPaths, launchProblem, launchVersion, usesGateway } from './acp-launch.ts';
import { startAcpSession } from './acp-session.ts';
import { readSession } from './session-file.ts';

const VERSION = '1';

/**
 * An agent that speaks the Agent Client Protocol, started as the project's settings say. `launch` is null in the host of
 * an attempt, which has it with its work.
 */
export function createAcpAdapter(id: string, launch: AgentLaunch | null): InstalledAdapter {
  function problem(): string | null {
    if (launch === null) return `no settings say how ${id} is started`;
    const sdk = findAcp();
    return sdk.problem ?? launchProblem(launch);
  }
  return {
    id,
    version: VERSION,
    capabilities: {
      permission: 'agent-discretion',
      resume: true,
      fork: false,
      resumeAt: false,
      structuredOutput: 'requested',
      cost: 'tokens',
      cancel: 'rpc',
      steering: 'restart',
      mcp: false,
      subagents: 'none',
      gateway: launch !== null && usesGateway(launch),
    },
    ...(launch === null ? {} : { launch }),
    probe: async () => {
      const found = problem();
      return {
        available: found === null,
        adapterVersion: VERSION,
        sdkVersion: findAcp().version,
        programVersion: launch === null ? null : launchVersion(launch),
        problem: found,
        install: findAcp().problem === null ? null : INSTALL_COMMAND,
      };
    },
    canResume: async (token) => {
      const failure = refusalOf(token);
      return failure === null ? { ok: true } : { ok: false, failure };
    },
    tested: { version: TESTED_VERSION, install: INSTALL_COMMAND },
    requiredPaths: () => (launch === null ? [] : launchPaths(launch)),
    hasSession: (session, stateDir) => readSession(stateDir, session)?.opensAgain === true,
    start: (context) => startAcpSession(context, id, VERSION),
  };

  function refusalOf({ adapterVersion, programVersion }: ResumeToken): Failure | null {
    const found = problem();
    if (launch === null || found !== null) {
      return { code: 'resume_refused', message: `${id}: ${found ?? ''}`, hint: null };
    }
    const here = launchVersion(launch) ?? 'unknown';
    if (adapterVersion === VERSION && programVersion === here) return null;
    return {
      code: 'resume_refused',
      message: `the session was begun with version ${programVersion} of ${id} (adapter ${adapterVersion}); here is ${here} (adapter ${VERSION})`,
      hint: `install the version ${programVersion} of it, or start the step anew`,
    };
  }
}
