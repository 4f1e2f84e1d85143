import { dirname } from 'node:path';
import type { Failure, ResumeToken } from '@ccdash/core';
import type { InstalledAdapter } from '../installed-adapter.ts';
import { claudeExtension } from './claude-extension.ts';
import { startClaudeSession } from './claude-session.ts';
import {
  INSTALL_COMMAND,
  SDK,
  TESTED_SDK_VERSION,
  findSdk,
  isSameOrNewer,
  probeOf,
  whyNotRunning,
} from './sdk-install.ts';
import { hasSessionFile } from './session-file.ts';

const VERSION = '1';

/** Claude Code through its Agent SDK, an optional package that is loaded with the first session. */
export function createClaudeAdapter(): InstalledAdapter {
  return {
    id: 'claude',
    version: VERSION,
    capabilities: {
      permission: 'callback',
      resume: true,
      fork: false,
      resumeAt: false,
      structuredOutput: 'validated',
      cost: 'usd',
      cancel: 'interrupt',
      steering: 'message',
      mcp: true,
      subagents: 'folded',
      gateway: true,
    },
    probe: async () => probeOf(findSdk(), VERSION),
    canResume: async (token) => {
      const failure = refusalOf(token);
      return failure === null ? { ok: true } : { ok: false, failure };
    },
    extension: claudeExtension,
    tested: { version: TESTED_SDK_VERSION, install: INSTALL_COMMAND },
    health: async () => {
      const install = findSdk();
      return typeof install === 'string' ? install : whyNotRunning(install);
    },
    requiredPaths: () => {
      const install = findSdk();
      return typeof install === 'string' ? [] : [dirname(install.program)];
    },
    hasSession: hasSessionFile,
    start: (context) => startClaudeSession(context, VERSION),
  };
}

function refusalOf({ adapterVersion, programVersion }: ResumeToken): Failure | null {
  const install = findSdk();
  if (typeof install === 'string') {
    return { code: 'resume_refused', message: install, hint: INSTALL_COMMAND };
  }
  if (adapterVersion === VERSION && isSameOrNewer(install.programVersion, programVersion))
    return null;
  return {
    code: 'resume_refused',
    message: `the session was begun with Claude Code ${programVersion} (adapter ${adapterVersion}); here is ${install.programVersion} (adapter ${VERSION})`,
    hint: `install the version of ${SDK} that has Claude Code ${programVersion}`,
  };
}
