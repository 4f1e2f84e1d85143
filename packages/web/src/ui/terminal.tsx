/** Lines of a terminal, with the colors that their program gave them. */
import type { TerminalSpan } from './terminal-text.ts';

export function Terminal({
  lines,
  label,
}: {
  readonly lines: readonly (readonly TerminalSpan[])[];
  readonly label: string;
}) {
  return (
    <pre className="sunk terminal" role="group" tabIndex={0} aria-label={label}>
      {lines.map((spans, number) => (
        <span className="terminal-line" key={number}>
          {spans.map((span, at) => (
            <span key={at} className={classesOf(span)}>
              {span.text}
            </span>
          ))}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}

function classesOf({ color, bold, faint, italic, underline }: TerminalSpan): string {
  return [
    color === null ? '' : `ansi-${color}`,
    bold ? 'ansi-bold' : '',
    faint ? 'ansi-faint' : '',
    italic ? 'ansi-italic' : '',
    underline ? 'ansi-underline' : '',
  ]
    .filter(Boolean)
    .join(' ');
}
