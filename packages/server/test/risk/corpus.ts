/** The labelled commands beside this file, judged by the classifier and the shipped policy; the figures are docs/risk.md's. */
import { readFileSync } from 'node:fs';

import { EFFECT_CLASSES } from '@ccdash/core';
import type { EffectClass, PolicyFacts } from '@ccdash/core';

import { shippedPolicy } from '../../src/policy/project-policy.ts';
import { classifyCommand } from '../../src/risk/classify-command.ts';

export interface Labelled {
  readonly command: string;
  readonly isEveryday: boolean;
  /** What it does, by hand. */
  readonly label: readonly EffectClass[];
}

export interface Judged extends Labelled {
  readonly found: readonly EffectClass[];
  readonly asks: boolean;
}

/** Effects that nobody has to be asked about, inside the sandbox. */
const HARMLESS: readonly EffectClass[] = ['reads', 'writes-workspace', 'runs-workspace-code'];

export function readCorpus(): readonly Labelled[] {
  const text = readFileSync(new URL('corpus.txt', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, everyday, names = '', written = ''] = /^(\* )?([a-z,-]+) : (.+)$/.exec(line) ?? [];
    const label = names.split(',').map((name) => EFFECT_CLASSES.find((each) => each === name));
    if (label.includes(undefined)) throw new Error(`corpus.txt: ${line}`);
    return {
      command: unescaped(written),
      isEveryday: everyday !== undefined,
      label: label.filter((each) => each !== undefined),
    };
  });
}

function unescaped(text: string): string {
  return text
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll(/\\u([0-9a-f]{4})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

export function isDangerous({ label }: Labelled): boolean {
  return label.some((effect) => !HARMLESS.includes(effect));
}

/** As a step of a plan that may write and runs in the sandbox, under the policy that ships. */
export function judge(labelled: Labelled): Judged {
  const { effects } = classifyCommand({ script: labelled.command });
  const facts: PolicyFacts = {
    action: 'start',
    stepKind: 'command',
    tools: ['exec'],
    runTools: ['exec'],
    writes: true,
    network: false,
    secrets: false,
    sandboxed: true,
    effects,
    risk: 'low',
    requester: 'ann',
    actor: { kind: 'person', id: 'ann', roles: ['operator'] },
    weakens: false,
    absolute: false,
    scope: { tools: ['exec'], write: ['**'], network: 'none' },
  };
  const asks = shippedPolicy().evaluate(facts).verdict !== 'allow';
  return { ...labelled, found: effects, asks };
}

/** Whether the classifier has found all that the label says, or has said that it cannot tell. */
export function isSound({ label, found }: Judged): boolean {
  return found.includes('unparsed') || label.every((effect) => found.includes(effect));
}

/** The page with its figures. */
export function riskPage(judged: readonly Judged[]): string {
  const everyday = judged.filter(({ isEveryday }) => isEveryday);
  const asked = everyday.filter(({ asks }) => asks);
  const dangerous = judged.filter(isDangerous);
  const silent = dangerous.filter(({ asks }) => !asks);
  const exact = dangerous.filter(({ label, found }) => label.every((each) => found.includes(each)));
  const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
  const rows = EFFECT_CLASSES.filter((effect) => effect !== 'unparsed').map((effect) => {
    const labelled = judged.filter(({ label }) => label.includes(effect));
    const named = labelled.filter(({ found }) => found.includes(effect));
    const open = labelled.filter(
      ({ found }) => !found.includes(effect) && found.includes('unparsed'),
    );
    const missed = labelled.length - named.length - open.length;
    const cells = [`\`${effect}\``, labelled.length, named.length, open.length, missed];
    return `| ${cells.join(' | ')} |`;
  });
  return `# Risk: what commands are taken to do

This page is written by \`packages/server/test/risk/corpus.test.ts\`, which fails when it is not true any more; run it with
\`CCDASH_WRITE_DOCS=1\` to write it anew. The commands are in \`corpus.txt\` beside that test, labelled by hand. They are ours:
the figures say how this classifier does on them, not on all commands there are. The sandbox is the boundary, not this.

| Figure | |
| --- | --- |
| commands in the corpus | ${String(judged.length)} |
| dangerous ones that pass without asking | ${String(silent.length)} of ${String(dangerous.length)} |
| dangerous ones whose danger is named, not only _unparsed_ | ${String(exact.length)} of ${String(dangerous.length)} (${share(exact.length, dangerous.length)}) |
| everyday ones that ask | ${String(asked.length)} of ${String(everyday.length)} (${share(asked.length, everyday.length)}) |

Asking is judged by the policy that ships, for a command step in the sandbox, without network, that may write the workspace.

## By class

| Class | Labelled | Found | Only unparsed | Missed |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## Everyday commands that ask

${asked.map(({ command, found }) => `- \`${command.replaceAll('\n', '↵')}\`: ${found.filter((each) => !HARMLESS.includes(each)).join(', ')}`).join('\n')}
`;
}
