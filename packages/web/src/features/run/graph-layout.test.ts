import { expect, test } from 'vitest';
import { NODE_HEIGHT, NODE_WIDTH, layOutGraph } from './graph-layout.ts';

const PLAN = [
  { id: 'a', needs: [] },
  { id: 'b', needs: ['a'] },
  { id: 'c', needs: ['a'] },
  { id: 'd', needs: ['b', 'c'] },
  { id: 'e', needs: ['a', 'd'] },
];

test('[WB4] a step stands right of everything that it needs', () => {
  const { nodes } = layOutGraph(PLAN);
  const columns = Object.fromEntries(nodes.map(({ id, column }) => [id, column]));
  expect(columns).toEqual({ a: 0, b: 1, c: 1, d: 2, e: 3 });
});

test('[WB4] no two steps lie on each other, and all lie within the drawing', () => {
  const { nodes, width, height } = layOutGraph(PLAN);
  expect(new Set(nodes.map(({ x, y }) => `${String(x)} ${String(y)}`)).size).toBe(PLAN.length);
  for (const { x, y } of nodes) {
    expect(x >= 0 && x + NODE_WIDTH <= width && y >= 0 && y + NODE_HEIGHT <= height).toBe(true);
  }
});

test('[WB4] steps are ordered so that edges need not cross', () => {
  const { nodes } = layOutGraph([
    { id: 'a', needs: [] },
    { id: 'b', needs: [] },
    { id: 'of-b', needs: ['b'] },
    { id: 'of-a', needs: ['a'] },
  ]);
  const rows = Object.fromEntries(nodes.map(({ id, row }) => [id, row]));
  expect(rows['of-a']).toBe(rows['a']);
  expect(rows['of-b']).toBe(rows['b']);
});

test('[WB4] there is an edge for each need, and none for a step that is not there', () => {
  const { edges } = layOutGraph([...PLAN, { id: 'f', needs: ['gone'] }]);
  expect(edges.map(({ from, to }) => `${from}-${to}`)).toEqual([
    'a-b',
    'a-c',
    'b-d',
    'c-d',
    'a-e',
    'd-e',
  ]);
});

test('[WB4] a plan of 2,000 steps is laid out whole', () => {
  const steps = Array.from({ length: 2000 }, (_, i) => ({
    id: `s${String(i)}`,
    needs: i < 20 ? [] : [`s${String(i - 20)}`, `s${String(i - 1 - (i % 20))}`],
  }));
  const { nodes } = layOutGraph(steps);
  expect(nodes).toHaveLength(2000);
  expect(Math.max(...nodes.map(({ column }) => column))).toBe(99);
});

test('[WB4] a plan without steps has an empty graph', () => {
  expect(layOutGraph([])).toEqual({ width: 0, height: 0, nodes: [], edges: [] });
});
