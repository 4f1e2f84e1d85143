import type { Failure, ResumeToken } from '@ccdash/core';
import type { InstalledAdapter } from '../installed-adapter.ts';
import {
  INSTALL_COMMAND,
  PACKAGE,
  TESTED_VERSION,
  findCodex,
  whyNotRunning,
} from './codex-install.ts';
import { startCodexSession } from './codex-session.ts';
import { readThread } from './thread-file.ts';

const VERSION = '1';

/** Codex through its `app-server`: the only way of it that asks before a call, and that shows what was refused. */
export function createCodexAdapter(): InstalledAdapter {
  return {
    id: 'codex',
    version: VERSION,
    capabilities: {
      permission: 'callback',
      resume: true,
      fork: false,
      resumeAt: false,
      structuredOutput: 'requested',
      cost: 'tokens',
      cancel: 'rpc',
      steering: 'restart',
      mcp: false,
      subagents: 'none',
      gateway: true,
    },
    skipped: [
      {
        name: 'file tools read nothing outside the workspace',
        reason:
          'Codex has no tool that reads: it reads by commands, which ask the gate as such, and what they see is confined by the sandbox around the program',
      },
      {
        name: 'the reason of a denial is told with the end of the call',
        reason:
          'Codex takes an answer of yes or no to its questions: it tells that a call was declined, not why',
      },
    ],
    probe: async () => {
      const install = findCodex();
      const isMissing = typeof install === 'string';
      return {
        available: !isMissing,
        adapterVersion: VERSION,
        sdkVersion: isMissing ? null : install.version,
        programVersion: isMissing ? null : install.version,
        problem: isMissing ? install : null,
        install: isMissing ? INSTALL_COMMAND : null,
      };
    },
    canResume: async (token) => {
      const failure = refusalOf(token);
      return failure === null ? { ok: true } : { ok: false, failure };
    },
    tested: { version: TESTED_VERSION, install: INSTALL_COMMAND },
    health: async () => {
      const install = findCodex();
      return typeof install === 'string' ? install : whyNotRunning(install);
    },
    requiredPaths: () => {
      const install = findCodex();
      return typeof install === 'string' ? [] : [install.folder];
    },
    hasSession: (session, stateDir) => readThread(stateDir, session) !== null,
    start: (context) => startCodexSession(context, VERSION),
  };
}

function refusalOf({ adapterVersion, programVersion }: ResumeToken): Failure | null {
  const install = findCodex();
  if (typeof install === 'string') {
    return { code: 'resume_refused', message: install, hint: INSTALL_COMMAND };
  }
  if (adapterVersion === VERSION && programVersion === install.version) return null;
  return {
    code: 'resume_refused',
    message: `the session was begun with Codex ${programVersion} (adapter ${adapterVersion}); here is ${install.version} (adapter ${VERSION})`,
    hint: `install ${PACKAGE}@${programVersion}, or start the step anew`,
  };
}
