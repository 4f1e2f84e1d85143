/** A plan as a drawing in text: order, kinds, and what each step needs. */
import type { Plan, Step } from '@ccdash/core';

export interface PlanTextOptions {
  /** Columns of the terminal; lines are cut off at it. At least 40. */
  readonly width?: number;
  /** Only characters that every terminal has. */
  readonly ascii?: boolean;
}

interface Glyphs {
  readonly kinds: Readonly<Record<Step['kind'], string>>;
  readonly arrow: string;
  readonly cut: string;
  readonly line: string;
}

const DRAWN: Glyphs = {
  kinds: { command: '▸', agent: '◆', validation: '✓', approval: '?' },
  arrow: '←',
  cut: '…',
  line: '─',
};
const ASCII: Glyphs = {
  kinds: { command: '$', agent: '@', validation: '=', approval: '?' },
  arrow: '<-',
  cut: '...',
  line: '-',
};

/**
 * Draws `plan`, one step a line, grouped by when they can begin: steps of a group may run side by side. Ends with a
 * newline. Control characters of the plan's texts are shown as spaces.
 */
export function planToText(plan: Plan, options: PlanTextOptions = {}): string {
  const width = Math.max(40, options.width ?? 80);
  const glyphs = options.ascii === true ? ASCII : DRAWN;
  const idWidth = Math.min(24, Math.max(...plan.steps.map((step) => step.id.length)));
  const lines = [
    plan.name,
    [
      plan.feature === null ? undefined : `feature ${plan.feature}`,
      plan.steps.length === 1 ? '1 step' : `${plan.steps.length} steps`,
      `up to ${plan.concurrency} at once`,
    ]
      .filter((part) => part !== undefined)
      .join(', '),
    glyphs.line.repeat(width),
  ];
  const rows = stepRows(plan);
  const needsByStep = new Map(
    plan.steps.map((step) => [
      step,
      step.needs.length === 0 ? '' : `${glyphs.arrow} ${step.needs.join(', ')}`,
    ]),
  );
  const needsWidth = Math.min(
    Math.floor(width / 3),
    Math.max(...[...needsByStep.values()].map((needs) => needs.length)),
  );
  rows.forEach((row, index) => {
    row.forEach((step, place) => {
      const columns = [
        (place === 0 ? String(index + 1) : '').padStart(3),
        glyphs.kinds[step.kind],
        cut(step.id, idWidth, glyphs).padEnd(idWidth),
        step.kind.padEnd(10),
        cut(needsByStep.get(step) ?? '', needsWidth, glyphs).padEnd(needsWidth),
        stepSummary(step),
      ];
      lines.push(columns.join(' '));
    });
  });
  return `${lines.map((line) => cut(oneLine(line), width, glyphs).trimEnd()).join('\n')}\n`;
}

/** Steps by the earliest time they can begin: a row needs only rows before it. */
function stepRows(plan: Plan): readonly (readonly Step[])[] {
  const rowById = new Map<string, number>();
  const rows: Step[][] = [];
  let left: readonly Step[] = plan.steps;
  while (left.length > 0) {
    const ready = left.filter((step) => step.needs.every((id) => rowById.has(id)));
    if (ready.length === 0) break;
    for (const step of ready) rowById.set(step.id, rows.length);
    rows.push([...ready]);
    left = left.filter((step) => !rowById.has(step.id));
  }
  return rows;
}

function stepSummary(step: Step): string {
  switch (step.kind) {
    case 'command':
      return 'argv' in step.program ? step.program.argv.join(' ') : step.program.script;
    case 'agent':
      return `${step.adapter}: ${'text' in step.prompt ? step.prompt.text : step.prompt.file}`;
    case 'validation':
      return step.checks.map((check) => check.type).join(', ');
    case 'approval': {
      const who = [...step.by.people, ...step.by.roles.map((role) => `role ${role}`)].join(' or ');
      return `${step.question} (${step.by.count} of ${who})`;
    }
  }
}

/** Spaces stay as they are, since they align; everything else that moves the cursor becomes one. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

function cut(text: string, width: number, glyphs: Glyphs): string {
  if (text.length <= width) return text;
  // A cut may fall within a character of two code units.
  const kept = text.slice(0, Math.max(0, width - glyphs.cut.length)).replace(/\p{Cs}$/u, '');
  return kept + glyphs.cut;
}
