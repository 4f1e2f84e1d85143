/**
 * Reports as files: made of the evidence of a run, and read back.
 *
 * 1. All that a report says follows from the entries in it: made again of them it is the same, byte by byte. So whoever
 *    has verified the entries and compares the bytes has verified every word.
 */
import { decodeRunEvent } from '@ccdash/api';
import { err, ok } from '@ccdash/core';
import type { Result, RunEvent, StoredEvent } from '@ccdash/core';
import type { ReportFormat, RunEvidence } from '../base/run-evidence.ts';
import { blocksToHtml, evidenceOfHtml } from './blocks-to-html.ts';
import { blocksToMarkdown, evidenceOfMarkdown } from './blocks-to-markdown.ts';
import { reportBlocks } from './report-blocks.ts';
import { runReport } from './run-report.ts';
import type { RunReport } from './run-report.ts';

/** Grows with every change of what a report says or looks like, since that can be compared within one of them only. */
const REPORT_VERSION = 1;

/** What a file carries beside what people read. */
interface Carried {
  readonly type: 'ccdash-report';
  readonly v: number;
  readonly evidence: RunEvidence;
}

/** `events`: those of the evidence. Errors: a sentence, where they are not those of a run. */
export function renderReport(
  evidence: RunEvidence,
  events: readonly StoredEvent[],
  format: ReportFormat,
): Result<{ readonly file: string; readonly report: RunReport }, string> {
  const decoded: RunEvent[] = [];
  for (const event of events) {
    const one = decodeRunEvent(event);
    if (!one.ok) return err(one.error.detail);
    decoded.push(one.value);
  }
  const made = runReport(events[0]?.runId ?? '', decoded);
  if (!made.ok) return made;
  const report = made.value;
  const carried: Carried = { type: 'ccdash-report', v: REPORT_VERSION, evidence };
  if (format === 'json') {
    return ok({ file: `${JSON.stringify({ ...carried, report }, null, 2)}\n`, report });
  }
  const { publicKey, head, entries } = evidence;
  const blocks = reportBlocks(report, { publicKey, head, entries: entries.length });
  const kept = JSON.stringify(carried);
  const { name } = report.run.plan;
  return ok({
    file:
      format === 'html'
        ? blocksToHtml(`${name}: ${report.run.status}`, blocks, kept)
        : blocksToMarkdown(blocks, kept),
    report,
  });
}

/** The evidence in a file that claims to be a report. Errors: a sentence about why it is none. */
export function readReport(
  file: string,
): Result<{ readonly format: ReportFormat; readonly evidence: RunEvidence }, string> {
  const format = file.startsWith('<!doctype html>') ? 'html' : file.startsWith('{') ? 'json' : 'md';
  const kept =
    format === 'html' ? evidenceOfHtml(file) : format === 'md' ? evidenceOfMarkdown(file) : file;
  if (kept === null) return err('it holds no evidence of a run');
  const carried = parse(kept);
  if (!isCarried(carried)) return err('its evidence cannot be read');
  if (carried.v !== REPORT_VERSION) {
    return err(
      `it is a report of version ${carried.v}, and this ccdash makes version ${REPORT_VERSION}`,
    );
  }
  return ok({ format, evidence: carried.evidence });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // told as evidence that cannot be read
  }
}

function isCarried(value: unknown): value is Carried {
  if (typeof value !== 'object' || value === null) return false;
  const { type, v, evidence } = value as Partial<Record<keyof Carried, unknown>>;
  if (type !== 'ccdash-report' || typeof v !== 'number') return false;
  if (typeof evidence !== 'object' || evidence === null) return false;
  const { publicKey, head, entries, proof } = evidence as Partial<
    Record<keyof RunEvidence, unknown>
  >;
  const areTexts = (list: unknown): boolean =>
    Array.isArray(list) && list.every((each) => typeof each === 'string');
  const isSigned = typeof publicKey === 'string' && typeof head === 'string';
  return isSigned && areTexts(entries) && areTexts(proof);
}
