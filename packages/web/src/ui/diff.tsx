/** A diff by file; what was added and removed is marked by its sign as well as by color. */
import { parseDiff } from './diff-text.ts';
import type { DiffFile, DiffLine } from './diff-text.ts';
import { toVisibleText } from './visible-text.ts';

/** More would make the page slow; whoever reviews that much takes the patch. */
const MOST_LINES = 3000;
const WIDEST = 2000;
const OPEN_FILES = 8;

export function Diff({ text }: { readonly text: string }) {
  let left = MOST_LINES;
  const files = parseDiff(text).map((file) => {
    const lines = file.lines.slice(0, Math.max(0, left));
    left -= lines.length;
    return { ...file, lines, hidden: file.lines.length - lines.length };
  });
  return (
    <div className="stack">
      {files.map((file, number) => (
        <details key={number} className="diff-file" open={number < OPEN_FILES}>
          <summary>
            <span className="mono">{toVisibleText(file.path)}</span>
            <Counts file={file} />
          </summary>
          <pre
            className="diff"
            role="group"
            tabIndex={0}
            aria-label={`Changes of ${toVisibleText(file.path)}`}
          >
            {file.lines.map((line, at) => (
              <Line key={at} line={line} />
            ))}
          </pre>
          {file.hidden > 0 && (
            <p className="small quiet">{file.hidden} more lines are not drawn here.</p>
          )}
        </details>
      ))}
    </div>
  );
}

export function Counts({ file }: { readonly file: Pick<DiffFile, 'added' | 'removed'> }) {
  return (
    <span className="counts">
      <span className="good">+{file.added}</span> <span className="bad">−{file.removed}</span>
    </span>
  );
}

const SIGNS = { added: '+', removed: '-', same: ' ', hunk: '', note: '' } as const;

function Line({ line }: { readonly line: DiffLine }) {
  const { kind, text, before, after } = line;
  const shown = text.length > WIDEST ? `${text.slice(0, WIDEST)} …` : text;
  return (
    <span className={kind}>
      <span className="number" aria-hidden="true">
        {after ?? before ?? ''}
      </span>
      {SIGNS[kind]}
      {toVisibleText(shown)}
      {'\n'}
    </span>
  );
}
