import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure, ResumeToken } from '@ccdash/core';
import type { InstalledAdapter } from '../installed-adapter.ts';
import { copilotExtension } from './copilot-extension.ts';
import {
  INSTALL_COMMAND,
  PACKAGE,
  TESTED_VERSION,
  findCopilot,
  whyNotRunning,
} from './copilot-install.ts';
import { startCopilotSession } from './copilot-session.ts';

const VERSION = '1';

/** GitHub Copilot by its SDK, with the model of the step through the gateway: it needs no login. */
export function createCopilotAdapter(): InstalledAdapter {
  return {
    id: 'copilot',
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
    extension: copilotExtension,
    probe: async () => {
      const install = findCopilot();
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
      const install = findCopilot();
      return typeof install === 'string' ? install : whyNotRunning(install);
    },
    requiredPaths: () => {
      const install = findCopilot();
      return typeof install === 'string' ? [] : [install.folder];
    },
    hasSession: (session, stateDir) =>
      /^[\w-]{1,128}$/.test(session) && existsSync(join(stateDir, 'session-state', session)),
    start: (context) => startCopilotSession(context, VERSION),
  };
}

function refusalOf({ adapterVersion, programVersion }: ResumeToken): Failure | null {
  const install = findCopilot();
  if (typeof install === 'string') {
    return { code: 'resume_refused', message: install, hint: INSTALL_COMMAND };
  }
  if (adapterVersion === VERSION && programVersion === install.version) return null;
  return {
    code: 'resume_refused',
    message: `the session was begun with Copilot ${programVersion} (adapter ${adapterVersion}); here is ${install.version} (adapter ${VERSION})`,
    hint: `install ${PACKAGE}@${programVersion}, or start the step anew`,
  };
}
