/** The product's own figures. */
import { z } from 'zod';

export interface MetricsQuery {
  /** Only runs that were launched since then. */
  readonly since?: string | undefined;
}

export const metricsQuery: z.ZodType<MetricsQuery> = z.strictObject({
  since: z.iso.datetime().optional(),
});

const share = {
  value: z.number().nullable().describe('null while there is nothing to count'),
  of: z.int(),
  counted: z.int(),
  target: z.number(),
  definition: z.string(),
};
const spread = {
  count: z.int(),
  meanMs: z.number().nullable(),
  medianMs: z.number().nullable(),
  definition: z.string(),
};
const cost = { attempts: z.int(), tokens: z.int(), usd: z.number(), unknown: z.int() };
const costRows = z.array(z.object({ name: z.string().nullable(), ...cost }));

export const metricsResponse: z.ZodType = z.object({
  window: z.object({ fromMs: z.number().nullable(), toMs: z.number() }),
  runs: z.object({ total: z.int(), byStatus: z.record(z.string(), z.int()) }),
  orchestration: z.object(share),
  resume: z.object({ ...share, open: z.int() }),
  bypasses: z.object({
    value: z.int(),
    runs: z.int(),
    target: z.number(),
    definition: z.string(),
  }),
  recovery: z.object(spread),
  approvals: z.object({ ...spread, open: z.int() }),
  cost: z.object({
    total: z.object(cost),
    byFeature: costRows,
    byAdapter: costRows,
    byModel: costRows,
  }),
});
