/**
 * Where the steps of a plan stand in its graph: a column for each wave, so that a step is right of all it needs, and
 * within a column near to them. Long plans are laid out in a moment, since no crossing is worth a second of waiting.
 */

export interface GraphStep {
  readonly id: string;
  readonly needs: readonly string[];
}

export interface GraphNode {
  readonly id: string;
  readonly column: number;
  readonly row: number;
  readonly x: number;
  readonly y: number;
}

export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  /** The `d` of an SVG path. */
  readonly path: string;
}

export interface Graph {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
}

export const NODE_WIDTH = 208;
export const NODE_HEIGHT = 64;
const COLUMN_GAP = 64;
const ROW_GAP = 20;
const SWEEPS = 4;

export function layOutGraph(steps: readonly GraphStep[]): Graph {
  const columns = columnsOf(steps);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) orderBy(columns, steps, sweep % 2 === 0);
  const tallest = Math.max(0, ...columns.map(({ length }) => length));
  const nodes = columns.flatMap((ids, column) =>
    ids.map((id, row) => ({
      ...{ id, column, row },
      x: column * (NODE_WIDTH + COLUMN_GAP),
      // Shorter columns stand in the middle.
      y: (row + (tallest - ids.length) / 2) * (NODE_HEIGHT + ROW_GAP),
    })),
  );
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const edges = steps.flatMap(({ id, needs }) =>
    needs.flatMap((need) => {
      const from = byId.get(need);
      const to = byId.get(id);
      return from === undefined || to === undefined
        ? []
        : [{ from: need, to: id, path: curve(from, to) }];
    }),
  );
  return {
    width: Math.max(0, columns.length * (NODE_WIDTH + COLUMN_GAP) - COLUMN_GAP),
    height: Math.max(0, tallest * (NODE_HEIGHT + ROW_GAP) - ROW_GAP),
    nodes,
    edges,
  };
}

/** By the longest way to a step. Plans have no cycles; what is in one all the same stands where it was met. */
function columnsOf(steps: readonly GraphStep[]): string[][] {
  const columnById = new Map<string, number>();
  const waiting = new Map(steps.map(({ id, needs }) => [id, new Set(needs)]));
  const dependents = new Map<string, string[]>();
  for (const { id, needs } of steps) {
    for (const need of new Set(needs)) {
      if (!waiting.has(need)) waiting.get(id)?.delete(need);
      else dependents.set(need, [...(dependents.get(need) ?? []), id]);
    }
  }
  let wave = steps.filter(({ id }) => waiting.get(id)?.size === 0).map(({ id }) => id);
  for (let column = 0; wave.length > 0; column += 1) {
    const next: string[] = [];
    for (const id of wave) {
      columnById.set(id, column);
      for (const dependent of dependents.get(id) ?? []) {
        const left = waiting.get(dependent);
        left?.delete(id);
        if (left?.size === 0) next.push(dependent);
      }
    }
    wave = next;
  }
  const columns: string[][] = [];
  for (const { id } of steps) (columns[columnById.get(id) ?? 0] ??= []).push(id);
  return columns;
}

/** Each column by the middle of its neighbors, going right by what is needed or left by what needs. */
function orderBy(columns: string[][], steps: readonly GraphStep[], isRightward: boolean): void {
  const neighbors = new Map<string, string[]>(steps.map(({ id }) => [id, []]));
  for (const { id, needs } of steps) {
    for (const need of needs) {
      if (isRightward) neighbors.get(id)?.push(need);
      else neighbors.get(need)?.push(id);
    }
  }
  const place = new Map<string, number>();
  for (const ids of columns) ids.forEach((id, i) => place.set(id, (i + 0.5) / ids.length));
  for (const ids of isRightward ? columns : columns.toReversed()) {
    const middle = new Map(
      ids.map((id) => {
        const places = (neighbors.get(id) ?? []).map((other) => place.get(other) ?? 0);
        const sum = places.reduce((total, each) => total + each, 0);
        return [id, places.length === 0 ? (place.get(id) ?? 0) : sum / places.length] as const;
      }),
    );
    ids.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0));
    ids.forEach((id, i) => place.set(id, (i + 0.5) / ids.length));
  }
}

function curve(from: GraphNode, to: GraphNode): string {
  const [x1, y1] = [from.x + NODE_WIDTH, from.y + NODE_HEIGHT / 2];
  const [x2, y2] = [to.x, to.y + NODE_HEIGHT / 2];
  const bend = Math.max(COLUMN_GAP / 2, (x2 - x1) / 2);
  return `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`;
}
