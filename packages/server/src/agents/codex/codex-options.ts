import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { AgentRunContext } from '@ccdash/core';

type Context = AgentRunContext<ChildProcess>;

/** The variable that holds the attempt's token, which is worth nothing outside the gateway. */
const TOKEN_VARIABLE = 'CCDASH_MODEL_TOKEN';
const PROVIDER = 'ccdash';

/** Features that reach for services of their own, start agents that nobody gates, or bring tools that no scope names. */
const OFF: readonly string[] = [
  'plugins',
  'apps',
  'remote_plugin',
  'plugin_sharing',
  'multi_agent',
  'image_generation',
  'guardian_approval',
  'hooks',
  'goals',
  'browser_use',
  'browser_use_external',
  'browser_use_full_cdp_access',
  'computer_use',
  'in_app_browser',
  'in_app_local_automation',
  'in_app_updates',
  'daemon_auto_start',
  'auth_elicitation',
  'external_migration',
  'skill_search',
  'skill_mcp_dependency_install',
  'tool_suggest',
  'workspace_dependencies',
  'worktrees',
  'system_proxy_fallback',
  'shell_snapshot',
  // Without an end, a model that is gone would keep an attempt for ever.
  'unbounded_connection_retries',
  // The gateway reads which model a call is for.
  'enable_request_compression',
];

/** Everything is stated: what is left out here has defaults that reach into the user's settings or the internet. */
export function codexArguments({ work, gateway }: Context): readonly string[] {
  const { tools, write } = work;
  const runsCommands = ['exec', 'read', 'search'].some((tool) => tools.includes(tool));
  const settings: Readonly<Record<string, string | boolean | number>> = {
    model_provider: PROVIDER,
    [`model_providers.${PROVIDER}.name`]: PROVIDER,
    [`model_providers.${PROVIDER}.base_url`]: `${gateway.baseUrl}/v1`,
    [`model_providers.${PROVIDER}.wire_api`]: 'responses',
    [`model_providers.${PROVIDER}.env_key`]: TOKEN_VARIABLE,
    [`model_providers.${PROVIDER}.request_max_retries`]: 0,
    // Each is told; what a request repeats by itself is not.
    [`model_providers.${PROVIDER}.stream_max_retries`]: 10,
    ...Object.fromEntries(OFF.map((name) => [`features.${name}`, false])),
    'features.shell_tool': runsCommands,
    'features.unified_exec': runsCommands,
    include_apply_patch_tool: tools.includes('edit') && write.length > 0,
    web_search: 'disabled',
    'analytics.enabled': false,
    'feedback.enabled': false,
    check_for_update_on_startup: false,
    project_doc_max_bytes: 0,
    'history.persistence': 'none',
    'shell_environment_policy.inherit': 'all',
    // Its commands need not know how the model is reached.
    'shell_environment_policy.ignore_default_excludes': false,
  };
  return [
    'app-server',
    ...Object.entries(settings).flatMap(([name, value]) => [
      '-c',
      `${name}=${JSON.stringify(value)}`,
    ]),
    '-c',
    `shell_environment_policy.exclude=${JSON.stringify([TOKEN_VARIABLE])}`,
  ];
}

/** Complete: nothing of this process's environment is added to it. */
export function codexEnv({ env, stateDir, gateway }: Context): Record<string, string> {
  return {
    ...env,
    HOME: stateDir,
    CODEX_HOME: stateDir,
    // Below the system's own, its helpers would be refused.
    TMPDIR: join(stateDir, 'tmp'),
    [TOKEN_VARIABLE]: gateway.token,
  };
}

/** Commands that change anything are asked for, whatever the sandbox allows; the sandbox follows the scope. */
export function threadOptions({ work, workspace }: Context): object {
  return {
    cwd: workspace,
    approvalPolicy: 'untrusted',
    sandbox: work.write.length === 0 ? 'read-only' : 'workspace-write',
    ...(work.model === null ? {} : { model: work.model }),
  };
}

/** With each turn: what a thread begins with leaves the folders for temporary files open. */
export function turnOptions({ work, env }: Context): object {
  // Our sandbox names its proxy where the scope has hosts; without that, commands reach nobody.
  const networkAccess = 'HTTPS_PROXY' in env;
  const sandboxPolicy =
    work.write.length === 0
      ? { type: 'readOnly', networkAccess }
      : {
          type: 'workspaceWrite',
          ...{ writableRoots: [], networkAccess, excludeTmpdirEnvVar: true, excludeSlashTmp: true },
        };
  return {
    sandboxPolicy,
    ...(work.outputSchema === null ? {} : { outputSchema: work.outputSchema }),
  };
}
