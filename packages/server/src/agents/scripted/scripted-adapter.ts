import { existsSync } from 'node:fs';
import type { ResumeToken } from '@ccdash/core';
import type { InstalledAdapter } from '../installed-adapter.ts';
import { startScriptedSession } from './scripted-session.ts';
import { sessionFile } from './session-file.ts';

const VERSION = '1';

/**
 * An agent without a program or a model: it plays the script that the attempt names as its upstream, in the host
 * process. Its tool calls pass the same gate and file rules as those of any agent.
 */
export function createScriptedAdapter(): InstalledAdapter {
  return {
    id: 'scripted',
    version: VERSION,
    capabilities: {
      permission: 'callback',
      resume: true,
      fork: false,
      resumeAt: false,
      structuredOutput: 'validated',
      cost: 'none',
      cancel: 'interrupt',
      steering: 'restart',
      mcp: false,
      subagents: 'none',
      gateway: false,
    },
    probe: async () => ({
      available: true,
      adapterVersion: VERSION,
      sdkVersion: null,
      programVersion: null,
      problem: null,
      install: null,
    }),
    canResume: async (token) => refusalOf(token) ?? { ok: true },
    tested: null,
    requiredPaths: () => [],
    hasSession: (session, stateDir) => {
      const file = sessionFile(stateDir, session);
      return file !== null && existsSync(file);
    },
    start: (context) => startScriptedSession(context, VERSION),
  };
}

function refusalOf(token: ResumeToken) {
  if (token.adapterVersion === VERSION) return null;
  const failure = {
    code: 'resume_refused',
    message: `the session was begun by version ${token.adapterVersion} of the scripted agent; this is ${VERSION}`,
    hint: 'use the version that began it',
  };
  return { ok: false as const, failure };
}
