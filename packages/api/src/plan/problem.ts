/** What can be wrong with a plan file, and how it is told. */

/** 1-based; `column` counts UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface Problem {
  readonly type: ProblemType;
  readonly severity: 'error' | 'warning';
  /** The same for every problem of a type. */
  readonly title: string;
  /** What is wrong here, with the names involved. */
  readonly detail: string;
  /** What to do next. */
  readonly hint: string;
  readonly at: Position & { readonly file: string };
}

/** The words never change their meaning: scripts may rely on them. */
export type ProblemType =
  | 'FileNotFound'
  | 'NotAFile'
  | 'NotText'
  | 'FileTooLarge'
  | 'YamlSyntax'
  | 'EmptyFile'
  | 'MultipleDocuments'
  | 'NestedTooDeeply'
  | 'YamlFeature'
  | 'DuplicateKey'
  | 'ForbiddenKey'
  | 'ForbiddenText'
  | 'UnknownField'
  | 'MissingField'
  | 'WrongType'
  | 'BadValue'
  | 'BadDuration'
  | 'BadId'
  | 'ReservedId'
  | 'DuplicateId'
  | 'BadName'
  | 'DuplicateVariable'
  | 'BadPath'
  | 'BadGlob'
  | 'UnknownAdapter'
  | 'NoKind'
  | 'SeveralKinds'
  | 'UnknownCheck'
  | 'UnknownStep'
  | 'UnknownInput'
  | 'UnknownArtifact'
  | 'NotBefore'
  | 'NoOutputs'
  | 'Cycle'
  | 'ScopeTooWide'
  | 'BadCondition'
  | 'BadPlaceholder'
  | 'ImpossibleApproval'
  | 'BadPattern'
  | 'TooManyProblems'
  | 'ReadOnlyRun'
  | 'NoBudget'
  | 'IdleTimeout'
  | 'IdleRisk'
  | 'ImpossibleCheck'
  | 'MissingFile';

/** Every problem type, in words. */
export const TITLE_BY_PROBLEM: Readonly<Record<ProblemType, string>> = {
  FileNotFound: 'There is no such plan file',
  NotAFile: 'Not a file that can be read',
  NotText: 'Not text in UTF-8',
  FileTooLarge: 'The plan file is too large',
  YamlSyntax: 'Not valid YAML',
  EmptyFile: 'The plan file is empty',
  MultipleDocuments: 'More than one YAML document',
  NestedTooDeeply: 'Nested too deeply',
  YamlFeature: 'A YAML feature that plans do not have',
  DuplicateKey: 'A key is given twice',
  ForbiddenKey: 'A key that is not allowed',
  ForbiddenText: 'Text with characters that are not allowed',
  UnknownField: 'Unknown field',
  MissingField: 'A field is missing',
  WrongType: 'A value of the wrong type',
  BadValue: 'A value that is not allowed',
  BadDuration: 'Not a duration',
  BadId: 'Not a valid step id',
  ReservedId: 'A reserved step id',
  DuplicateId: 'A step id is used twice',
  BadName: 'Not a valid name',
  DuplicateVariable: 'A variable is set twice',
  BadPath: 'Not a path inside the project',
  BadGlob: 'Not a valid glob',
  UnknownAdapter: 'Unknown agent adapter',
  NoKind: 'A step without a kind',
  SeveralKinds: 'A step of several kinds',
  UnknownCheck: 'Not a check',
  UnknownStep: 'Unknown step',
  UnknownInput: 'Unknown input',
  UnknownArtifact: 'Nothing keeps this artifact',
  NotBefore: 'A step that does not come before this one',
  NoOutputs: 'A step that leaves nothing to read',
  Cycle: 'Steps need each other in a circle',
  ScopeTooWide: "A scope wider than the run's",
  BadCondition: 'Not a valid condition',
  BadPlaceholder: 'Not a valid placeholder',
  ImpossibleApproval: 'An approval that nobody could give',
  BadPattern: 'Not a valid pattern',
  TooManyProblems: 'More problems than are listed',

  ReadOnlyRun: 'The run may change nothing',
  NoBudget: 'An agent without a budget',
  IdleTimeout: 'A time limit that never takes effect',
  IdleRisk: 'A risk class that changes nothing',
  ImpossibleCheck: 'A check that can never pass',
  MissingFile: 'A file that does not exist',
};

/** A problem before it has a severity and a file. */
export interface Finding {
  readonly type: ProblemType;
  readonly detail: string;
  /** A function where it takes long to find the words; only what is shown needs them. */
  readonly hint: string | (() => string);
  readonly at: Position;
}

/** `finding` as it is shown. */
export function findingToProblem(
  finding: Finding,
  severity: Problem['severity'],
  file: string,
): Problem {
  const { type, detail, hint, at } = finding;
  return {
    type,
    severity,
    title: TITLE_BY_PROBLEM[type],
    detail,
    hint: typeof hint === 'string' ? hint : hint(),
    at: { file, line: at.line, column: at.column },
  };
}

/** `"text"` for messages, cut off where it is long. */
export function quoted(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}

/** `a, b and c`, of at most twelve names. */
export function listed(names: readonly string[], word: 'and' | 'or' = 'and'): string {
  const shown = names.slice(0, 12).map((name) => `\`${name}\``);
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  const last = shown.pop();
  if (last === undefined) return 'none';
  return shown.length === 0 ? last : `${shown.join(', ')} ${word} ${last}`;
}
