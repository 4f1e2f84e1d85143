/** Writes documents of features with the irregularities that real ones have, and knows what they hold. Seeded. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Written {
  documents: number;
  features: number;
  prds: number;
  plans: number;
  progress: number;
  tasks: number;
  sameFile: number;
  crossPhase: number;
  external: number;
  broken: number;
}

/** `count` documents or a few more, below `projectDir`. */
export function writeFeatureDocuments(projectDir: string, count: number, seed: number): Written {
  const random = createRandom(seed);
  const brokenPhases = new Set<string>();
  const written: Written = {
    ...{ documents: 0, features: 0, prds: 0, plans: 0, progress: 0 },
    ...{ tasks: 0, sameFile: 0, crossPhase: 0, external: 0, broken: 0 },
  };
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(projectDir, path)), { recursive: true });
    writeFileSync(join(projectDir, path), text);
    written.documents += 1;
  };
  for (let number = 1; written.documents < count; number += 1) {
    written.features += 1;
    if (number % 9 === 0) {
      put(`.claude/progress/quick-features/quick-${number}.md`, quick(number));
      written.progress += 1;
      written.tasks += 1;
      continue;
    }
    const slug = `feature-${number}-v1`;
    const category = number % 2 === 0 ? 'features' : 'refactors';
    // A PRD of the version before, which the plan names.
    const prd = `docs/project_plans/PRDs/${category}/${number % 5 === 0 ? `other-${number}` : slug}.md`;
    put(prd, `---\ntitle: "Feature ${number}"\ndoc_type: prd\nstatus: draft\n---\n# Feature\n`);
    written.prds += 1;
    const plan = `docs/project_plans/implementation_plans/${category}/${slug}.md`;
    put(plan, planText(number, prd));
    written.plans += 1;
    for (let phase = 1; phase <= 3; phase += 1) {
      const isBroken = random() < 0.04;
      const folder = `.claude/progress/${number % 4 === 0 ? `feature-${number}` : slug}`;
      put(`${folder}/phase-${phase}-progress.md`, progressText(number, phase, isBroken));
      written.progress += 1;
      if (isBroken) written.broken += 1;
    }
    const [first, second, third] = [1, 2, 3].map(
      (phase) => !brokenPhases.has(`${number}.${phase}`),
    );
    // Each phase has three tasks: the second needs the first, the third the phase before (or what nobody knows).
    for (const [at, isThere] of [first, second, third].entries()) {
      if (!isThere) continue;
      written.tasks += 3;
      written.sameFile += 1;
      const before = [first, second, third][at - 1];
      if (at > 0 && before === true) written.crossPhase += 1;
      else written.external += 1;
    }
    put(`.claude/worknotes/${slug}/notes.md`, 'No frontmatter here.\n');
    if (number % 7 === 0) {
      put(`docs/adr/broken-${number}.md`, '---\ntitle: `quoted`\n---\n');
      written.broken += 1;
    }
  }
  return written;

  function progressText(number: number, phase: number, isBroken: boolean): string {
    if (isBroken) {
      brokenPhases.add(`${number}.${phase}`);
      return `---\nphase: ${phase}\nstatus: pending\nstatus: completed\n---\n`;
    }
    const needs = phase === 1 ? 'ADR-008-accepted' : `T${phase - 1}-1`;
    const word = ['dependencies', 'depends_on'][number % 2] ?? '';
    const phaseText = [`${phase}`, `${phase}.0`, `"Phase ${phase}"`][number % 3] ?? '';
    const batch =
      number % 3 === 0
        ? `  batch_1:\n    tasks: [T${phase}-1]\n    assigned_to: [ada]`
        : `  batch_1: [T${phase}-1]`;
    return [
      '---',
      'type: progress',
      `phase: ${phaseText}`,
      `status: ${phase === 1 ? 'completed' : 'not_started'}`,
      'commit_refs: [3751e95, 4024200, null]',
      'tasks:',
      `  - id: T${phase}-1\n    ${number % 2 === 0 ? 'title' : 'description'}: First\n    status: done\n    ${word}: []`,
      `  - { id: T${phase}-2, name: Second, status: pending, ${word}: [T${phase}-1] }`,
      `  - { id: T${phase}-3, subject: Third, status: in-progress, ${word}: ${needs} }`,
      'parallelization:',
      batch,
      `  batch_2: [T${phase}-2, T${phase}-3]`,
      '---',
      `# Phase ${phase}`,
      '',
    ].join('\n');
  }
}

function planText(number: number, prd: string): string {
  return [
    '---',
    `title: Feature ${number}`,
    'doc_type: implementation_plan',
    `status: ${number % 2 === 0 ? 'in-progress' : 'approved'}`,
    `prd_ref: /${prd}`,
    '---',
    '## Phase 1: Ground',
    '## Phase 2: House',
    '## Phase 3: Roof',
    '',
  ].join('\n');
}

function quick(number: number): string {
  return `---\ntitle: Quick ${number}\nstatus: completed\ntasks:\n  - { id: Q-1, title: It, status: completed }\n---\n`;
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
