/** Phases and tasks as headings and tables of a plan tell them, for documents whose frontmatter does not. */
import type { PhaseRecord, TaskRecord } from './document.ts';
import { phaseKey } from './phase-key.ts';

export interface Outline {
  readonly title: string | null;
  readonly phases: readonly PhaseRecord[];
}

const MAX_LINES = 20_000;
const MAX_PHASES = 100;
const MAX_LINE = 4000;
const HEADING = /^(#{1,4}) (.*)$/;
const PHASE = /^phase (\d+(?:\.\d+)?)\b[\s:.—–-]*(.*)$/i;

export function readOutline(body: string): Outline {
  let title: string | null = null;
  const phases: { -readonly [Key in keyof PhaseRecord]: PhaseRecord[Key] }[] = [];
  let current: (typeof phases)[number] | null = null;
  let columns: readonly string[] | null = null;
  let isFenced = false;
  for (const raw of body.split('\n', MAX_LINES)) {
    const line = raw.slice(0, MAX_LINE).trim();
    if (line.startsWith('```')) isFenced = !isFenced;
    if (isFenced) continue;
    if (!line.startsWith('|')) columns = null;
    const [, marks, heading] = HEADING.exec(line) ?? [];
    if (marks !== undefined && heading !== undefined) {
      if (marks.length === 1 && title === null) title = heading.trim();
      const [, number, name = ''] = PHASE.exec(heading) ?? [];
      if (number !== undefined && marks.length > 1) {
        const key = phaseKey(number);
        const known = phases.find((phase) => phase.key === key);
        if (known === undefined && phases.length < MAX_PHASES) {
          current = { ...NO_DETAILS, key, title: name.trim() === '' ? null : name.trim() };
          phases.push(current);
        } else current = known ?? null;
      }
    } else if (line.startsWith('|') && current !== null) {
      const cells = line
        .replace(/^\||\|$/g, '')
        .split('|')
        .map((cell) => cell.trim());
      if (columns === null) columns = cells.map((cell) => cell.toLowerCase());
      else if (!/^[\s:|-]+$/.test(line)) {
        const task = taskOf(columns, cells);
        if (task !== null) current.tasks = [...current.tasks, task];
      }
    }
  }
  return { title, phases };
}

const NO_DETAILS = {
  dependsOn: null,
  files: [],
  exitCriteria: [],
  gates: [],
  tasks: [],
} satisfies Partial<PhaseRecord>;

function taskOf(columns: readonly string[], cells: readonly string[]): TaskRecord | null {
  const cell = (...names: readonly string[]): string | null => {
    const at = columns.findIndex((column) => names.includes(column));
    const text = (cells[at] ?? '').replace(/[*`]/g, '').trim();
    return text === '' || /^(?:none|-|—|n\/a)$/i.test(text) ? null : text;
  };
  const id = cell('task id', 'id', 'task');
  if (id === null || !/^[A-Za-z][\w.-]*\d[\w.-]*$/.test(id)) return null;
  const description = cell('description', 'task description');
  const title = cell('task name', 'name', 'title') ?? description ?? id;
  const acceptance = cell('acceptance criteria', 'acceptance');
  return {
    id,
    title: description === null || description === title ? title : `${title}: ${description}`,
    status: 'pending',
    rawStatus: null,
    dependsOn: (cell('dependencies', 'depends on', 'deps') ?? '').split(/[,;]\s*/).filter(Boolean),
    files: [],
    acceptance: acceptance === null ? [] : [acceptance],
    assignedTo: [],
    batch: null,
    note: null,
    sessions: [],
  };
}
