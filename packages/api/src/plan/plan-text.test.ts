import type { Plan } from '@ccdash/core';
import { describe, expect, it } from 'vitest';
import { parsePlan } from './parse-plan.ts';
import { planToText } from './plan-text.ts';

function planOf(text: string): Plan {
  const reading = parsePlan(text, { file: 'plan.yaml' });
  if (!reading.ok) throw new Error(JSON.stringify(reading.problems));
  return reading.plan;
}

const plan = planOf(`version: 1
name: Rate limiting
feature: limits
setup: { run: [npm ci] }
scope: { tools: [edit], write: ["src/**"] }
steps:
  - { id: implement, agent: claude, prompt: "Implement it.\\nAll of it." }
  - { id: lint, argv: [npm, run, lint], needs: [implement] }
  - { id: unit, run: npm test, needs: [implement] }
  - { id: gate, validate: [{ noSecrets: true }], needs: [lint, unit] }
  - { id: review, approve: "Ship it?", needs: [gate], by: { people: [ann], roles: [boss] } }
`);

describe('planToText', () => {
  it('[PL16] draws the steps in rows, with what they need and what they do', () => {
    expect(planToText(plan, { width: 72 })).toBe(`Rate limiting
feature limits, 6 steps, up to 4 at once
${'─'.repeat(72)}
  1 ▸ setup     command                 npm ci
  2 ◆ implement agent      ← setup      claude: Implement it. All of it.
  3 ▸ lint      command    ← implement  npm run lint
    ▸ unit      command    ← implement  npm test
  4 ✓ gate      validation ← lint, unit noSecrets
  5 ? review    approval   ← gate       Ship it? (1 of ann or role boss)
`);
  });

  it.each([40, 60, 80, 200])(
    '[PL16] fits in %i columns, in characters of every terminal',
    (width) => {
      const text = planToText(plan, { width, ascii: true });
      expect(text).toMatch(/^[\n\x20-\x7e]*$/);
      for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(width);
    },
  );

  it('[PL16] shows no character of a plan that moves the cursor', () => {
    const hostile = planOf(
      'version: 1\nname: "a\\e[2Jb"\nsteps: [{ id: a, run: "x\\r\\ny\\u009b" }]\n',
    );
    expect(planToText(hostile)).not.toMatch(/[^\P{Cc}\n]/u);
  });
});
