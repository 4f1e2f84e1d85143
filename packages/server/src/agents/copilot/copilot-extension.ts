/** What a step may say under `ext.copilot`: how the model is spoken to, where its name does not say it. */
import type { ProviderConfig } from '@github/copilot-sdk';
import type { AgentWork } from '@ccdash/core';
import { z } from 'zod';

export interface CopilotExtension {
  /** Left out: `messages` for models of Anthropic, else `chat`. */
  readonly protocol?: 'messages' | 'responses' | 'chat' | undefined;
}

export const copilotExtension: z.ZodType<CopilotExtension> = z.strictObject({
  protocol: z.enum(['messages', 'responses', 'chat']).optional(),
});

/** By what the program reaches the model through the gateway. */
export function providerFor(
  { model, ext }: Pick<AgentWork, 'model' | 'ext'>,
  gateway: { readonly baseUrl: string; readonly token: string },
): ProviderConfig {
  const { protocol } = copilotExtension.parse(ext['copilot'] ?? {});
  const name = model ?? '';
  const spoken = protocol ?? (name.startsWith('claude') ? 'messages' : 'chat');
  const common = { apiKey: gateway.token, modelId: name, wireModel: name } as const;
  if (spoken === 'messages') {
    return { ...common, type: 'anthropic', baseUrl: gateway.baseUrl } as const;
  }
  const wireApi = spoken === 'chat' ? 'completions' : 'responses';
  return { ...common, type: 'openai', wireApi, baseUrl: `${gateway.baseUrl}/v1` } as const;
}
