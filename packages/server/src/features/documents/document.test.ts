import { describe, expect, test } from 'vitest';
import { readDocument } from './document.ts';
import type { DocumentRecord } from './document.ts';
import { readFrontmatter } from './frontmatter.ts';

const PROGRESS = '.claude/progress/limits-v1/phase-2-progress.md';

function progress(...lines: readonly string[]): DocumentRecord {
  return readDocument(PROGRESS, ['---', ...lines, '---', '# Text', ''].join('\n'));
}

describe('frontmatter', () => {
  test('[FC1] hashes, numbers, dates and words of YAML stay the text they are', () => {
    const { commits, phase } = progress(
      'phase: 2.50',
      'commit_refs: [3751e95, 4024200, ~, 0x1f, yes]',
    );
    expect(commits).toEqual(['3751e95', '4024200', '0x1f', 'yes']);
    expect(phase).toBe('2.5');
  });

  test('[FC1] a tag is no code and no type, and a key of prototypes is a key', () => {
    const { values, problem } = readFrontmatter(
      '---\na: !!js/function "function () { throw 1 }"\n__proto__: { status: done }\n---\n',
    );
    expect(problem).toBeNull();
    expect(values['a']).toBe('function () { throw 1 }');
    expect(Object.keys(values)).toEqual(['a', '__proto__']);
    expect(({} as Record<string, unknown>)['status']).toBeUndefined();
    expect(readFrontmatter('---js\nthrow new Error()\n---\n').values).toEqual({});
  });

  test.each([
    ['a: `b`', 2, 4],
    ['a: 1\nb: 2\na: 3', 4, 1],
    ['a:\n  - b\n c: d', 4, 1],
    ['a: b: c', 2, 4],
    ['- a', 2, 1],
  ])('[FC2] %j is a document with its mistake at %i:%i', (yaml, line, column) => {
    const document = progress(yaml);
    expect(document.problem).toMatchObject({ line, column });
    expect(document.problem?.detail).not.toBe('');
    expect(document).toMatchObject({ slug: 'limits-v1', phase: '2', kind: 'progress' });
  });

  test('[FC2] frontmatter that is never closed is broken; a line across the page is none', () => {
    expect(readFrontmatter('---\ntitle: x\n').problem?.detail).toContain('never closed');
    expect(readFrontmatter('---\n\nText\n').problem).toBeNull();
    expect(readFrontmatter('\uFEFF---\r\ntitle: x\r\n---\r\nText').values['title']).toBe('x');
  });

  test.each([
    ['brackets', '['.repeat(60_000)],
    ['aliases', bomb()],
    ['an alias of itself', 'a: &a [*a]'],
    ['length', `a: ${'b'.repeat(300_000)}`],
    ['values', `a: [${'b,'.repeat(30_000)}]`],
  ])('[FC3] too much of %s is a broken document', (_what, yaml) => {
    expect(progress(yaml).problem).not.toBeNull();
  });
});

describe('fields', () => {
  test('[FC4] tasks have the names, the dependencies and the batches that people give them', () => {
    const { tasks, phase } = progress(
      'phase: Phase 2',
      'tasks:',
      '  - { id: A, description: One, dependencies: [X-1, X-2], status: Done }',
      '  - { id: B, name: Two, depends_on: A, status: in-progress, files: [src/a.ts] }',
      '  - { id: C, subject: Three, status: whatever }',
      '  - no task at all',
      'parallelization:',
      '  batch_1: [A]',
      '  batch_2: { task_ids: [B, C], assigned_to: [ada] }',
      '  critical_path: [A, B]',
    );
    expect(phase).toBe('2');
    expect(tasks).toMatchObject([
      { id: 'A', title: 'One', dependsOn: ['X-1', 'X-2'], status: 'completed', batch: '1' },
      { id: 'B', title: 'Two', dependsOn: ['A'], status: 'in_progress', batch: '2' },
      { id: 'C', title: 'Three', dependsOn: [], status: 'pending', batch: '2' },
    ]);
  });

  test.each([
    ['2', '2'],
    ['2.0', '2'],
    ['2.5', '2.5'],
    ['P2', '2'],
    ['M1', 'm1'],
    ['null', '2'],
  ])('[FC4] the phase %s is phase %s', (written, key) => {
    expect(progress(`phase: ${written}`).phase).toBe(key);
  });

  test('[FC4] the phases of a wave plan bring their dependencies, gates and criteria', () => {
    const text = [
      '---',
      'wave_plan:',
      '  phases:',
      '    - { id: P1, name: Ground, depends_on: [], exit_criteria: [It stands] }',
      '    - { id: P2, depends_on: [P1], gate_lens: [security], files_affected: [src/**] }',
      '---',
      '## Phase 2: House',
    ].join('\n');
    const { phases } = readDocument('docs/project_plans/implementation_plans/f/limits-v1.md', text);
    expect(phases).toMatchObject([
      { key: '1', title: 'Ground', dependsOn: [], exitCriteria: ['It stands'] },
      { key: '2', title: 'House', dependsOn: ['1'], gates: ['security'], files: ['src/**'] },
    ]);
  });

  test('[FC5] phases and tasks are read from headings and tables where nothing else tells of them', () => {
    const text = [
      '# Limits',
      '## Phase 1: Ground',
      '| Task ID | Task Name | Description | Acceptance Criteria | Dependencies |',
      '|---|:--|---|---|---|',
      '| **T1-001** | Schema | Add it | It migrates | None |',
      '| T1-002 | Store | Use it | - | T1-001, T9-1 |',
      '```',
      '## Phase 9: only an example',
      '```',
      '### Phase 2 — House',
    ].join('\n');
    const { phases, title } = readDocument(
      'docs/project_plans/implementation_plans/limits.md',
      text,
    );
    expect(title).toBe('Limits');
    expect(phases.map(({ key, title: name }) => [key, name])).toEqual([
      ['1', 'Ground'],
      ['2', 'House'],
    ]);
    expect(phases[0]?.tasks).toMatchObject([
      { id: 'T1-001', title: 'Schema: Add it', acceptance: ['It migrates'], dependsOn: [] },
      { id: 'T1-002', dependsOn: ['T1-001', 'T9-1'], acceptance: [] },
    ]);
  });
});

/** Nine lists of nine aliases each: a billion values. */
function bomb(): string {
  const lines = ['a0: &a0 [x]'];
  for (let at = 1; at <= 9; at += 1) {
    lines.push(
      `a${at}: &a${at} [${Array(9)
        .fill(`*a${at - 1}`)
        .join(', ')}]`,
    );
  }
  return lines.join('\n');
}
