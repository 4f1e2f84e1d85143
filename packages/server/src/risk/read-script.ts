/**
 * What a script runs, as far as its text proves: every command that could be reached, and every file that the shell
 * itself opens.
 *
 * 1. Nothing is left out: what cannot be followed is told as `unproven`, beside what could be.
 * 2. There is no limit that lets something pass: a text that is too long, too deep or too strange is unproven.
 */
import { forEachChild, parse } from 'unbash';
import type { ArithmeticExpression, Assignment, Command, Redirection, SyntaxNode } from 'unbash';
import { shellVariableProblem } from './environment-names.ts';
import { exactWord, toSeenWord } from './seen-word.ts';
import type { SeenWord } from './seen-word.ts';

export interface SeenCommand {
  /** The program, then its arguments. Never empty. */
  readonly words: readonly [SeenWord, ...SeenWord[]];
  /** Variables that are set for this command alone. */
  readonly variables: readonly string[];
  /** Its standard input is a text in the script, or another command. */
  readonly isFed: boolean;
}

export interface SeenFile {
  readonly word: SeenWord;
  readonly access: 'read' | 'write';
}

export interface ScriptReading {
  readonly commands: readonly SeenCommand[];
  readonly files: readonly SeenFile[];
  /** Why its text alone does not tell all that it does; empty when it does. */
  readonly unproven: readonly string[];
}

const MAX_CHARACTERS = 64 * 1024;
const MAX_NODES = 50_000;
const MAX_DEPTH = 100;

/** Blank, tab and line feed are the only invisible characters that people and bash read alike. */
const UNSEEN = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}\p{Cn}]|(?! )\p{Zs}/u;

export function readScript(text: string): ScriptReading {
  const unproven = new Set<string>();
  if (text.length > MAX_CHARACTERS) {
    return { commands: [], files: [], unproven: ['it is too long to be looked through'] };
  }
  if (UNSEEN.test(text)) unproven.add('it holds characters that cannot be seen');
  const reader = createReader(unproven);
  try {
    reader.visit(parse(text), 0, false);
  } catch (error) {
    // The parser is written for any text; should it give up on one, nothing is known of that text.
    unproven.add(`it cannot be parsed (${error instanceof Error ? error.message : String(error)})`);
  }
  return { commands: reader.commands, files: reader.files, unproven: [...unproven] };
}

interface Reader {
  readonly commands: SeenCommand[];
  readonly files: SeenFile[];
  visit(node: SyntaxNode, depth: number, isFed: boolean): void;
}

function createReader(unproven: Set<string>): Reader {
  const commands: SeenCommand[] = [];
  const files: SeenFile[] = [];
  let nodes = 0;

  function visit(node: SyntaxNode, depth: number, isFed: boolean): void {
    nodes += 1;
    if (nodes > MAX_NODES || depth > MAX_DEPTH) {
      unproven.add('it is nested too deep, or too large, to be looked through');
      return;
    }
    const problem = problemOf(node);
    if (problem !== null) unproven.add(problem);
    if (node.type === 'Command') seeCommand(node, isFed);
    if (node.type === 'Redirect' || node.type === 'HereString') seeFile(node);
    const fed = isFed || (node.type === 'Redirected' && node.redirects.some(feeds));
    let first = node.type === 'Pipeline';
    forEachChild(node, (child) => {
      const isPrefix = child.type === 'Time' || child.type === 'Negation';
      visit(child, depth + 1, fed || (node.type === 'Pipeline' && !first && !isPrefix));
      if (!isPrefix) first = false;
    });
  }

  function seeCommand(command: Command, isFed: boolean): void {
    const assignments = command.prefix.filter((part) => part.type === 'Assignment');
    const variables = assignments.map(({ name }) => name);
    if (command.name === undefined) {
      for (const name of variables) see(shellVariableProblem(name));
      return;
    }
    const words: SeenWord[] = command.args.map((argument) =>
      argument.type === 'Word' ? toSeenWord(argument) : assignmentWord(argument),
    );
    const fed = isFed || command.redirects.some(feeds);
    commands.push({ words: [toSeenWord(command.name), ...words], variables, isFed: fed });
  }

  function seeFile(redirection: Extract<Redirection, { type: 'Redirect' | 'HereString' }>): void {
    if (redirection.type === 'HereString') return;
    const { operator, target, descriptor } = redirection;
    if (descriptor?.type === 'FileDescriptorVariable') {
      unproven.add('it names a file descriptor by a variable');
    }
    if (target === undefined) return;
    const word = toSeenWord(target);
    const isDescriptor = word.kind === 'exact' && /^(\d+-?|-)$/.test(word.text);
    if ((operator === '>&' || operator === '<&') && isDescriptor) return;
    files.push({ word, access: operator === '<' || operator === '<&' ? 'read' : 'write' });
  }

  function see(problem: string | null): void {
    if (problem !== null) unproven.add(problem);
  }

  return { commands, files, visit };
}

function feeds(redirection: Redirection): boolean {
  return redirection.type !== 'Redirect' || redirection.operator.startsWith('<');
}

/** `name=value` as the word that a builtin is handed. */
function assignmentWord({ name, append, index, value }: Assignment): SeenWord {
  if (index !== undefined || value.type === 'ArrayValue') {
    return { kind: 'unknown', text: `${name}=`, begin: `${name}=`, isOne: true };
  }
  const word = toSeenWord(value);
  const begin = `${name}${append === true ? '+' : ''}=`;
  if (word.kind === 'exact') return exactWord(`${begin}${word.text}`);
  return { kind: 'unknown', text: begin, begin, isOne: true };
}

type Look<T extends SyntaxNode['type']> = (
  node: Extract<SyntaxNode, { readonly type: T }>,
) => string | null;

/** It means what the commands and words in it mean. */
const plain = (): null => null;
const computesIf = (isComputed: boolean): string | null => (isComputed ? COMPUTES : null);

/** Parts of the language in which text becomes code, or in which names stop meaning what they say: why, or null. */
const PROBLEMS: { readonly [T in SyntaxNode['type']]: Look<T> } = {
  Script: (node) => {
    const [error] = ('errors' in node ? node.errors : undefined) ?? [];
    return error === undefined ? null : `it cannot be parsed (${error.message})`;
  },
  Function: () => 'it defines a function, after which names may mean something else',
  Coproc: () => 'it starts a coprocess',
  ExtendedGlob: () => 'it uses an extended pattern',
  LocaleString: () => 'it holds a text that is translated',
  Assignment: ({ index, value }) =>
    index !== undefined || value.type === 'ArrayValue' ? ARRAY : null,
  For: ({ name }) => shellVariableProblem(name.value),
  Select: ({ name }) => shellVariableProblem(name.value),
  ParameterExpansion: ({ prefix, index, operation, parameter }) => {
    if (prefix === '!') return 'it reads a variable whose name is computed';
    if (index !== undefined && !/^[@*]$|^\d+$/.test(index.text)) return ARRAY;
    if (operation?.type !== 'Default' || !operation.operator.endsWith('=')) return null;
    return shellVariableProblem(parameter);
  },
  Transform: () => 'it transforms a variable, which may run what the variable holds',
  Unknown: () => 'it expands a variable in a way that is not known',
  Names: () => 'it reads a variable whose name is computed',
  Slice: ({ offset, length }) =>
    computesIf([offset, length].some((word) => word !== undefined && !/^ ?-?\d+$/.test(word.text))),
  ArithmeticExpansion: ({ expression }) => computesIf(!isPlainArithmetic(expression)),
  ArithmeticCommand: ({ expression }) => computesIf(!isPlainArithmetic(expression)),
  ArithmeticFor: () => COMPUTES,
  TestUnary: ({ operator }) => computesIf(operator === '-v' || operator === '-R'),
  TestBinary: ({ operator, left, right }) => {
    if (!/^-(eq|ne|lt|le|gt|ge)$/.test(operator)) return null;
    return computesIf(![left, right].every(({ text }) => /^(-?\d+|\$[?#])$/.test(text)));
  },
  AndOr: plain,
  AnsiCQuoted: plain,
  ArithmeticBinary: plain,
  ArithmeticCommandExpansion: plain,
  ArithmeticGroup: plain,
  ArithmeticTernary: plain,
  ArithmeticUnary: plain,
  ArithmeticWord: plain,
  ArrayValue: plain,
  BraceExpansion: plain,
  BraceGroup: plain,
  Case: plain,
  CaseItem: plain,
  CaseModification: plain,
  Command: plain,
  CommandExpansion: plain,
  CompoundList: plain,
  Default: plain,
  DoubleQuoted: plain,
  Elif: plain,
  FileDescriptor: plain,
  FileDescriptorVariable: plain,
  Glob: plain,
  HereDoc: plain,
  HereDocBody: plain,
  HereDocDelimiter: plain,
  HereString: plain,
  If: plain,
  Literal: plain,
  Negation: plain,
  Pipeline: plain,
  ProcessSubstitution: plain,
  Redirect: plain,
  Redirected: plain,
  Remove: plain,
  Replace: plain,
  SimpleExpansion: plain,
  SingleQuoted: plain,
  Statement: plain,
  Subshell: plain,
  TestCommand: plain,
  TestGroup: plain,
  TestLogical: plain,
  TestNot: plain,
  Time: plain,
  While: plain,
  Word: plain,
};

function problemOf(node: SyntaxNode): string | null {
  const look = PROBLEMS[node.type] as ((node: SyntaxNode) => string | null) | undefined;
  // A part that a newer parser knows and this file does not.
  return look === undefined ? `it holds a ${node.type}, which is not known here` : look(node);
}

const ARRAY = 'it uses an array, whose index is computed';
const COMPUTES = 'it computes with variables, and what they hold may be run';

/** Numbers and operators only: the content of a variable is evaluated, and may run commands. */
function isPlainArithmetic(expression: ArithmeticExpression | undefined): boolean {
  if (expression === undefined) return true;
  switch (expression.type) {
    case 'ArithmeticWord':
      return /^\d+$/.test(expression.value) || expression.value === '';
    case 'ArithmeticGroup':
      return isPlainArithmetic(expression.expression);
    case 'ArithmeticUnary':
      return isPlainArithmetic(expression.operand);
    case 'ArithmeticBinary':
      return isPlainArithmetic(expression.left) && isPlainArithmetic(expression.right);
    case 'ArithmeticTernary':
      return [expression.test, expression.consequent, expression.alternate].every(
        isPlainArithmetic,
      );
    case 'ArithmeticCommandExpansion':
      return false;
  }
}
