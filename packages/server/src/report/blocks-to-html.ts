/** One HTML file that needs nothing else: no script, no network, light and dark, and whole on paper. */
import { toVisibleText } from '../base/visible-text.ts';
import type { Block } from './blocks.ts';

const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--quiet:#57606a;--line:#d0d7de;--back:#fff;--well:#f6f8fa}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--quiet:#9198a1;--line:#3d444d;--back:#0d1117;--well:#161b22}}
body{margin:0 auto;max-width:72rem;padding:1.5rem;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
h2{margin-top:2rem;border-bottom:1px solid var(--line)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9em}
th,td{border:1px solid var(--line);padding:.3rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere;white-space:pre-wrap}
th{background:var(--well)}
p{overflow-wrap:anywhere;white-space:pre-wrap}
pre{background:var(--well);border:1px solid var(--line);padding:.6rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}
summary{cursor:pointer}
@media print{:root{color-scheme:light;--ink:#000;--quiet:#333;--line:#999;--back:#fff;--well:#fff}body{max-width:none;padding:0;font-size:10pt}tr{break-inside:avoid}details::details-content{content-visibility:visible;height:auto}}`;

/** Where the evidence stands in the file; nothing runs it. */
const EVIDENCE = /<script type="application\/json" id="ccdash-evidence">([^<]*)<\/script>/g;

export function blocksToHtml(title: string, blocks: readonly Block[], evidence: string): string {
  // Within a script element only "<" means anything, and JSON can spell it.
  const kept = evidence.replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escape(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${blocks.map(blockToHtml).join('\n')}
</main>
<script type="application/json" id="ccdash-evidence">${kept}</script>
</body>
</html>
`;
}

/** The evidence in such a file; null when there is none, or more than one. */
export function evidenceOfHtml(file: string): string | null {
  const [found, second] = file.matchAll(EVIDENCE);
  return second === undefined ? (found?.[1] ?? null) : null;
}

function blockToHtml(block: Block): string {
  switch (block.type) {
    case 'heading':
      return `<h${block.level}>${escape(block.text)}</h${block.level}>`;
    case 'text':
      return `<p>${escape(block.text)}</p>`;
    case 'code':
      return `<pre>${escape(block.text)}</pre>`;
    case 'table': {
      const cells = (row: readonly string[], tag: 'th' | 'td'): string =>
        `<tr>${row.map((cell) => `<${tag}>${escape(cell)}</${tag}>`).join('')}</tr>`;
      const rows = block.rows.map((row) => cells(row, 'td')).join('\n');
      return `<div class="wide"><table><thead>${cells(block.head, 'th')}</thead><tbody>\n${rows}\n</tbody></table></div>`;
    }
    case 'details':
      return `<details><summary>${escape(block.summary)}</summary>\n${block.blocks.map(blockToHtml).join('\n')}\n</details>`;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return toVisibleText(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
