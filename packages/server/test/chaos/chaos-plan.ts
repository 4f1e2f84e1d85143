/** Plans from a seed, and what their files must hold when everything has been done. */
import { createHash } from 'node:crypto';
import { between, pick } from '../random-numbers.ts';
import type { Random } from '../random-numbers.ts';

export interface ChaosPlan {
  readonly name: string;
  readonly yaml: string;
  /** Scripts of the agents of it, for the file of the scripted model. */
  readonly scripts: readonly string[];
  /** What each path of the result holds. */
  readonly files: ReadonlyMap<string, string>;
  readonly steps: number;
}

type Kind = 'writes' | 'reads' | 'agent' | 'validates' | 'asks';
const KINDS: readonly [Kind, ...Kind[]] = [
  ...(['writes', 'writes', 'writes', 'writes', 'reads', 'reads'] as const),
  ...(['agent', 'validates', 'asks'] as const),
];

/**
 * Up to `most` steps of all kinds. Each writer leaves a file that is made of those of the writers it needs, so a result
 * tells whether all of them ran on what they were to stand on; each command that is flaky fails once.
 */
export function chaosPlan(random: Random, name: string, most: number): ChaosPlan {
  const count = between(random, 2, most);
  const lines: string[] = [];
  const scripts: string[] = [];
  const files = new Map<string, string>();
  const writers = new Set<string>();
  let validation = '';
  for (let index = 0; index < count; index += 1) {
    const id = `s${String(index)}`;
    const kind = index === 0 ? 'writes' : pick(random, KINDS);
    const needs = needsOf(random, index);
    const from = needs.filter((need) => writers.has(need));
    lines.push(`  - id: ${id}`, `    needs: [${needs.join(', ')}]`);
    const way = pick(random, ['ask', 'resume', 'retry']);
    switch (kind) {
      case 'writes': {
        const fails =
          random() < 0.15 ? ` if ! test -e venv/${id}; then touch venv/${id}; exit 3; fi;` : '';
        const slow = random() < 0.4 ? ' sleep 0.4;' : '';
        const inputs = from.map((need) => `out/${need}`).join(' ');
        lines.push(
          `    run: mkdir -p out venv;${fails}${slow} cat /dev/null ${inputs} | { cat; echo ${id}; } | sha256sum > part-${id} && mv part-${id} out/${id}`,
          `    onInterrupt: ${way}`,
          ...(random() < 0.5 ? ['    retry: { attempts: 3, backoff: 1s }'] : []),
        );
        const input = from.map((need) => files.get(`out/${need}`) ?? '').join('');
        files.set(`out/${id}`, `${sha256(`${input}${id}\n`)}  -\n`);
        writers.add(id);
        break;
      }
      case 'reads':
        lines.push(
          `    run: cat /dev/null ${from.map((need) => `out/${need}`).join(' ')}`,
          '    scope: { write: [] }',
          `    onInterrupt: ${way}`,
        );
        break;
      case 'agent':
        lines.push(
          '    agent: scripted',
          `    prompt: The task is ${name} ${id}.`,
          `    onInterrupt: ${way}`,
          '    retry: { attempts: 3, backoff: 1s }',
        );
        scripts.push(agentScript(random, name, id));
        files.set(`out/${id}`, `${name} ${id}\n`);
        writers.add(id);
        break;
      case 'validates':
        lines.push(
          '    validate:',
          ...(from.length === 0 ? ['      - noSecrets: true'] : []),
          ...from.map((need) => `      - file: { path: out/${need}, matches: '.' }`),
        );
        validation = id;
        break;
      case 'asks':
        lines.push('    approve: Go on?');
        if (validation !== '' && random() < 0.3) lines.push('    show: [diff]');
        break;
    }
  }
  const concurrency = between(random, 1, 4);
  const yaml = `version: 1
name: ${name}
scope: { tools: [read, edit, exec], write: ['**'] }
concurrency: ${String(concurrency)}
steps:
${lines.join('\n')}
`;
  return { name, yaml, scripts, files, steps: count };
}

function needsOf(random: Random, index: number): readonly string[] {
  if (index === 0) return [];
  const count = between(random, index === 1 ? 1 : 0, Math.min(3, index));
  const needs = new Set<number>();
  for (let each = 0; each < count; each += 1) {
    needs.add(Math.max(0, index - 1 - Math.floor(random() * random() * index)));
  }
  return [...needs].sort((a, b) => a - b).map((need) => `s${String(need)}`);
}

function agentScript(random: Random, name: string, id: string): string {
  const busy =
    random() < 0.4
      ? '\n        error: { status: 529, type: overloaded_error, message: busy, times: 1 }'
      : '';
  return `  - when: The task is ${name} ${id}.
    turns:
      - say: I write it.${busy}
        delayMs: ${String(pick(random, [1, 1, 300]))}
        calls: [{ write: { path: out/${id}, content: "${name} ${id}\\n" } }]
      - say: It is written.`;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
