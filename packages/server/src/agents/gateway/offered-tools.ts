/** A script names deeds; programs have tools of their own for them, which they offer with each call. */
import type { JsonObject } from '@ccdash/core';
import type { ScriptCall } from '../script/agent-script.ts';

type Fields = Readonly<Record<string, string>>;

interface Dialect {
  /** Offered together by programs that speak it, and by no other. */
  readonly offers: readonly string[];
  /** Names of tools and of their fields, by what scripts say. */
  readonly words: Readonly<Record<string, readonly [name: string, fields: Fields]>>;
  /** Fields that a tool must be given besides. */
  readonly more: Readonly<Record<string, JsonObject>>;
}

const DIALECTS: readonly Dialect[] = [
  {
    offers: ['read', 'bash'],
    words: {
      Read: ['read', { file_path: 'filePath' }],
      Write: ['write', { file_path: 'filePath', content: 'content' }],
      Edit: ['edit', { file_path: 'filePath', old_string: 'oldString', new_string: 'newString' }],
      Bash: ['bash', { command: 'command' }],
    },
    more: { bash: { description: 'as the script says' } },
  },
  {
    offers: ['view', 'bash'],
    words: {
      Read: ['view', { file_path: 'path' }],
      Write: ['create', { file_path: 'path', content: 'file_text' }],
      Edit: ['edit', { file_path: 'path', old_string: 'old_str', new_string: 'new_str' }],
      Bash: ['bash', { command: 'command' }],
    },
    more: { bash: { description: 'as the script says', mode: 'sync', initial_wait: 5 } },
  },
];

/** The same calls with the tools that are offered; a call that has no such tool stays as it is. */
export function callsWith(
  offered: readonly string[],
  calls: readonly ScriptCall[],
): readonly ScriptCall[] {
  const dialect = DIALECTS.find(({ offers }) => offers.every((name) => offered.includes(name)));
  if (dialect === undefined) return calls;
  return calls.map((call) => {
    const [name, fields] = dialect.words[call.name] ?? [];
    if (name === undefined || fields === undefined || offered.includes(call.name)) return call;
    const input = Object.entries(call.input).map(([field, value]) => {
      return [fields[field] ?? field, value] as const;
    });
    return { name, input: { ...Object.fromEntries(input), ...dialect.more[name] } };
  });
}
