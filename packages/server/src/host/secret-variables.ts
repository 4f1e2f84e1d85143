import type { WorkContext } from './attempt-work.ts';

/** The secrets that the step names, as variables; others that came along are for the host alone. */
export function secretVariables({
  spec,
  secretByName,
}: Pick<WorkContext, 'spec' | 'secretByName'>): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const name of spec.secretNames) {
    const value = secretByName[name];
    if (value !== undefined) variables[name] = value;
  }
  return variables;
}
