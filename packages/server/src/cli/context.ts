/** What a verb knows of its surroundings, and the only way in which it writes. */
import { toPlainJson, toPlainText } from './plain-text.ts';

export type Style = 'bold' | 'quiet' | 'good' | 'bad' | 'wait';
/** A part of a line. Its text may come from anywhere: it is made harmless when it is written. */
export type Span = string | { readonly text: string; readonly style: Style };

export interface Context {
  readonly isJson: boolean;
  /** `--project`; null: around the working directory. */
  readonly projectOption: string | null;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Somebody can be asked: input and output are a terminal, and nobody wants JSON. */
  readonly isInteractive: boolean;
  /** Marks beyond ASCII. */
  readonly isUnicode: boolean;
  readonly width: number;
  /** A line for people: to stdout, or to stderr with `--json`. */
  say(...spans: readonly Span[]): void;
  /** A line for people on stderr. */
  warn(...spans: readonly Span[]): void;
  /** One JSON document on a line of stdout. */
  writeJson(value: unknown): void;
  /** Text that has been made harmless, or bytes for a program; resolves when it is taken. */
  write(text: string | Uint8Array): Promise<void>;
  /** Text for programs, as it is. */
  writeRaw(text: string | Uint8Array): void;
}

export interface ContextOptions {
  readonly isJson: boolean;
  readonly projectOption: string | null;
}

export function createContext(options: ContextOptions): Context {
  const { isJson } = options;
  const { env, stdin, stdout, stderr } = process;
  const isPlain = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  const write = (stream: NodeJS.WriteStream, spans: readonly Span[]): void => {
    const isPainted = stream.isTTY && !isPlain;
    stream.write(`${spans.map((span) => spanToText(span, isPainted)).join('')}\n`);
  };
  return {
    ...options,
    cwd: process.cwd(),
    env,
    isInteractive: stdin.isTTY && stdout.isTTY && !isJson,
    isUnicode: stdout.isTTY && env['TERM'] !== 'dumb' && env['TERM'] !== 'linux',
    width: stdout.isTTY ? stdout.columns : 100,
    say: (...spans) => write(isJson ? stderr : stdout, spans),
    warn: (...spans) => write(stderr, spans),
    writeJson: (value) => stdout.write(`${toPlainJson(value)}\n`),
    write: (text) =>
      new Promise((resolve) => {
        stdout.write(text, () => resolve());
      }),
    writeRaw: (text) => stdout.write(text),
  };
}

const CODES: Readonly<Record<Style, number>> = { bold: 1, quiet: 2, good: 32, bad: 31, wait: 33 };

function spanToText(span: Span, isPainted: boolean): string {
  const text = toPlainText(typeof span === 'string' ? span : span.text).replaceAll('\n', ' ');
  if (typeof span === 'string' || !isPainted || text === '') return text;
  return `\u001b[${CODES[span.style]}m${text}\u001b[0m`;
}
