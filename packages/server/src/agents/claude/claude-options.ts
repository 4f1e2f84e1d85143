import type { AgentDefinition, HookCallback, Options } from '@anthropic-ai/claude-agent-sdk';
import type { AgentRunContext } from '@ccdash/core';
import type { ChildProcess } from 'node:child_process';
import { readClaudeExtension } from './claude-extension.ts';
import type { ClaudeExtension } from './claude-extension.ts';
import { allToolNames, toolNamesOf } from '../tools/tool-names.ts';

type Context = AgentRunContext<ChildProcess>;

/** 24 days: longer than people may take, and still a time that a timer can hold (2³¹ − 1 ms). In seconds. */
const HOOK_TIMEOUT_S = 2_073_600;

export interface OptionParts {
  readonly program: string;
  readonly onToolUse: HookCallback;
  readonly spawn: NonNullable<Options['spawnClaudeCodeProcess']>;
  readonly onStderr: (text: string) => void;
  readonly abort: AbortController;
}

/** Everything is stated: what is left out here has defaults that load the user's own settings or skip the gate. */
export function claudeOptions(context: Context, parts: OptionParts): Options {
  const { work, workspace } = context;
  const { session } = work;
  const tools = toolNamesOf(work.tools);
  const ext = readClaudeExtension(work.ext);
  return {
    cwd: workspace,
    env: claudeEnv(context),
    pathToClaudeCodeExecutable: parts.program,
    spawnClaudeCodeProcess: parts.spawn,
    stderr: parts.onStderr,
    abortController: parts.abort,
    systemPrompt: {
      type: 'preset',
      preset: 'claude_code',
      ...(ext.instructions === undefined ? {} : { append: ext.instructions }),
    },
    settingSources: ext.settings === 'project' ? ['project'] : [],
    // Of what the repository brings, nothing runs.
    settings: { disableSkillShellExecution: true },
    managedSettings: { allowManagedHooksOnly: true },
    strictMcpConfig: true,
    mcpServersDelivery: 'initialize',
    // Waited for at the start: a tool that comes later would be told to be unknown.
    mcpServers: Object.fromEntries(
      Object.entries(ext.mcp).map(([name, server]) => [name, { ...server, alwaysLoad: true }]),
    ),
    agents: agentsOf(ext),
    permissionMode: 'dontAsk',
    tools: [...tools],
    disallowedTools: allToolNames().filter((name) => !tools.includes(name)),
    hooks: {
      // Without `block` a hook that breaks lets the tool run.
      PreToolUse: [{ onFailure: 'block', timeout: HOOK_TIMEOUT_S, hooks: [parts.onToolUse] }],
    },
    includePartialMessages: false,
    // So that it is known when a person's message has been taken up.
    extraArgs: { 'replay-user-messages': null },
    // The whole session, not up to the token's last message: calls after it have taken effect and must not be forgotten.
    ...(session.kind === 'new' ? { sessionId: session.id } : { resume: session.token.session }),
    ...(ext.effort === undefined ? {} : { effort: ext.effort }),
    ...(ext.fallbackModel === undefined ? {} : { fallbackModel: ext.fallbackModel }),
    ...(work.model === null ? {} : { model: work.model }),
    ...(work.maxTurns === null ? {} : { maxTurns: work.maxTurns }),
    ...(work.outputSchema === null
      ? {}
      : { outputFormat: { type: 'json_schema', schema: { ...work.outputSchema } } }),
  };
}

/** They have the tools of the agent that starts them, and its gate. */
function agentsOf({ agents }: ClaudeExtension): Record<string, AgentDefinition> {
  return Object.fromEntries(
    Object.entries(agents).map(([name, { description, prompt, model, maxTurns }]) => [
      name,
      {
        ...{ description, prompt, background: false },
        ...(model === undefined ? {} : { model }),
        ...(maxTurns === undefined ? {} : { maxTurns }),
      },
    ]),
  );
}

/** Complete: the SDK adds nothing of this process's environment to it. */
function claudeEnv({ env, stateDir, gateway }: Context): Record<string, string> {
  return {
    HOME: stateDir,
    TMPDIR: '/tmp',
    ...env,
    CLAUDE_CONFIG_DIR: stateDir,
    ANTHROPIC_BASE_URL: gateway.baseUrl,
    ANTHROPIC_API_KEY: gateway.token,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    // A subagent in the background would end after the result that people are shown.
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    // Fewer, and 20 seconds without a model end the work and call it a success.
    CLAUDE_CODE_MAX_RETRIES: '10',
  };
}
