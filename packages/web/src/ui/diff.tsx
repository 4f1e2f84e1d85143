/** A unified diff as lines; what was added and removed is marked by its sign as well as by colour. */
import { cut, plain } from './text.ts';

export function Diff({ text }: { readonly text: string }) {
  const lines = cut(plain(text), 200_000).split('\n').slice(0, 3000);
  return (
    <pre className="sunk diff" tabIndex={0} aria-label="Changes">
      {lines.map((line, number) => (
        <span key={number} className={toneOf(line)}>
          {line === '' ? ' ' : line}
        </span>
      ))}
    </pre>
  );
}

function toneOf(line: string): string {
  if (line.startsWith('+') && !line.startsWith('+++')) return 'added';
  if (line.startsWith('-') && !line.startsWith('---')) return 'removed';
  return '';
}
