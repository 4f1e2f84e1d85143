/** A report as Markdown, in which nothing that others wrote is markup. */
import { toVisibleText } from '../base/visible-text.ts';
import type { Block } from './blocks.ts';

const EVIDENCE = /^<!-- ccdash-evidence ([A-Za-z0-9+/=]+) -->$/gm;

export function blocksToMarkdown(blocks: readonly Block[], evidence: string): string {
  // Base64, since a comment must not hold "--", and nobody reads it here.
  const kept = Buffer.from(evidence).toString('base64');
  return `${blocks.map(blockToMarkdown).join('\n\n')}\n\n<!-- ccdash-evidence ${kept} -->\n`;
}

/** The evidence in such a file; null when there is none, or more than one. */
export function evidenceOfMarkdown(file: string): string | null {
  const [found, second] = file.matchAll(EVIDENCE);
  if (found?.[1] === undefined || second !== undefined) return null;
  return Buffer.from(found[1], 'base64').toString('utf8');
}

function blockToMarkdown(block: Block): string {
  switch (block.type) {
    case 'heading':
      return `${'#'.repeat(block.level)} ${escape(block.text)}`;
    case 'text':
      return escape(block.text);
    case 'code':
      return fence(block.text);
    case 'table': {
      const row = (cells: readonly string[]): string => `| ${cells.map(escape).join(' | ')} |`;
      const rule = `| ${block.head.map(() => '---').join(' | ')} |`;
      return [row(block.head), rule, ...block.rows.map(row)].join('\n');
    }
    case 'details':
      return [`**${escape(block.summary)}**`, ...block.blocks.map(blockToMarkdown)].join('\n\n');
  }
}

/** Longer than any run of backticks within. */
function fence(text: string): string {
  const visible = toVisibleText(text);
  const longest = Math.max(2, ...[...visible.matchAll(/`+/g)].map(([run]) => run.length));
  const ticks = '`'.repeat(longest + 1);
  return `${ticks}text\n${visible}\n${ticks}`;
}

/** On one line, every character that could be markup escaped. */
function escape(text: string): string {
  return toVisibleText(text)
    .trim()
    .replaceAll(/[\\`*_{}[\]()#+\-.!|~:@]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/\s*\n\s*/g, '<br>')
    .replaceAll(/[\t ]+/g, ' ');
}
