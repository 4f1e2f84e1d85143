/** Agents of others, in the versions that were tried, in a folder of this repository that git does not know. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AgentLaunch } from '@ccdash/core';

const FOLDER = fileURLToPath(new URL('../../../.agents', import.meta.url));

/** Installs a package there once, without its scripts and without what is optional; its folder. */
export function installed(name: string, version: string): string {
  const place = join(FOLDER, `${name.replace(/^@.*\//, '')}-${version}`);
  const folder = join(place, 'node_modules', name);
  if (existsSync(folder)) return folder;
  const making = `${place}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  const options = ['--ignore-scripts', '--omit=optional', '--no-audit', '--no-fund', '--force'];
  const npm = spawnSync('npm', ['install', '--prefix', making, ...options, `${name}@${version}`], {
    encoding: 'utf8',
  });
  if (npm.status !== 0) throw new Error(`${name}@${version} cannot be installed: ${npm.stderr}`);
  rmSync(place, { recursive: true, force: true });
  renameSync(making, place);
  return folder;
}

/** Beside the SDK, which is installed for the adapter `claude` anyway. */
function claudeProgram(): string {
  const sdk = createRequire(import.meta.url).resolve('@anthropic-ai/claude-agent-sdk');
  const name = `@anthropic-ai/claude-agent-sdk-${process.platform}-${process.arch}`;
  return realpathSync(join(dirname(createRequire(sdk).resolve(`${name}/package.json`)), 'claude'));
}

export function claudeAgent(): AgentLaunch {
  const folder = installed('@agentclientprotocol/claude-agent-acp', '0.101.0');
  const ask = ['Bash', 'Read', 'Edit', 'Write', 'Glob', 'Grep', 'NotebookEdit', 'Agent'];
  return {
    command: [process.execPath, join(folder, 'dist/index.js')],
    env: {
      ANTHROPIC_BASE_URL: '{{ gateway }}',
      ANTHROPIC_API_KEY: '{{ token }}',
      CLAUDE_CONFIG_DIR: '{{ state }}',
      CLAUDE_CODE_EXECUTABLE: claudeProgram(),
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    },
    read: [dirname(dirname(dirname(folder))), dirname(claudeProgram()), dirname(process.execPath)],
    mode: 'default',
    session: {
      claudeCode: {
        options: {
          model: '{{ model }}',
          settingSources: [],
          settings: { permissions: { ask: [...ask, 'WebFetch', 'WebSearch'] } },
        },
      },
    },
  };
}

export function opencodeAgent(): AgentLaunch {
  const name = `opencode-${process.platform}-${process.arch}`;
  const folder = installed(name, '1.18.33');
  const model = { name: 'the model', limit: { context: 200_000, output: 8_000 } };
  const settings = {
    autoupdate: false,
    share: 'disabled',
    model: 'ccdash/{{ model }}',
    small_model: 'ccdash/{{ model }}',
    permission: { '*': 'ask' },
    provider: {
      ccdash: {
        npm: '@ai-sdk/anthropic',
        name: 'ccdash',
        options: { baseURL: '{{ gateway }}/v1', apiKey: '{{ token }}' },
        models: { '{{ model }}': model },
      },
    },
  };
  return {
    command: [join(folder, 'bin/opencode'), 'acp'],
    env: {
      OPENCODE_CONFIG_CONTENT: JSON.stringify(settings),
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_AUTOUPDATE: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
    },
    read: [folder],
    mode: null,
    session: {},
  };
}
