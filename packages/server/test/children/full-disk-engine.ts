/**
 * A whole engine on a small disk that it fills while a run waits, and empties again. TMPDIR is the small disk. Says on
 * stdout as one JSON object what each request answered and how the run ended.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openBench } from '../engine-fixture.ts';

const bench = await openBench({ 'a.txt': 'a\n' });
const runId = await bench.launch(`  - { id: gate, approve: 'Ship?' }
  - { id: work, run: touch b.txt }
`);
await bench.rest(runId);
const filler = join(bench.folder, 'filler');
fill();
const gate = bench.openRequest(runId, 'gate');
const full = await bench.decide(gate, 'approve');
const shown = bench
  .workbench()
  .run(runId)
  ?.steps.map(({ status }) => status);
rmSync(filler);
const again = full === 'ok' ? full : await bench.decide(gate, 'approve');
const ended = await bench.until(runId, ({ endedAt }) => endedAt !== null);
const failures = ended.steps.map(({ attempts }) => attempts[0]?.failure ?? null);
const { ok: logHolds } = await bench.workbench().auditVerify();
await bench.close();
writeSync(1, JSON.stringify({ full, shown, again, status: ended.status, failures, logHolds }));

function fill(): void {
  const file = openSync(filler, 'w');
  try {
    while (true) writeSync(file, Buffer.alloc(4096));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  } finally {
    closeSync(file);
  }
}
