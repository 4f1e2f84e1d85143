/**
 * Keeps Cedar's WebAssembly instance usable. Deeply nested text overflows its stack; whatever it answers after that
 * cannot be relied on, and there is no way to start it anew within a process.
 *
 * Invariants
 * 1. Text is screened before Cedar sees it: findOverload is called first.
 * 2. After one trap no call is made any more; each is answered with a refusal, so everything is denied.
 */
import { err, ok } from '@ccdash/core';
import type { Result } from '@ccdash/core';

/** Measured with Cedar 4.13.0: it fails between 60 and 250 brackets, and between 250 and 1,000 operators in a row. */
const MAX_DEPTH = 32;
const MAX_OPERATORS = 100;
const MAX_RULES = 200;

let trap: string | null = null;

/** The answer of `call`, which calls Cedar. Errors: a sentence, when Cedar fails as a whole or has failed before. */
export function callCedar<T>(call: () => T): Result<T, string> {
  if (trap !== null) return err(trap);
  try {
    return ok(call());
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    const text = `the policy evaluator failed (${String(error)})`;
    if (name !== 'RuntimeError' && name !== 'RangeError') return err(text);
    trap = `${text} and is not used any more: restart the workbench`;
    return err(trap);
  }
}

export interface Overload {
  /** UTF-16 index into the text. */
  readonly index: number;
  readonly detail: string;
  readonly hint: string;
}

/** The first place where a text is more than Cedar can bear, or holds what people cannot see; null when it is fine. */
export function findOverload(text: string): Overload | null {
  // Also NUL, which parts the files of a policy in its digest, and lone carriage returns, which end a comment.
  const unseen = /(?![\t\n]|\r\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.exec(text);
  if (unseen !== null) {
    return { index: unseen.index, detail: 'a character that cannot be seen', hint: 'Remove it.' };
  }
  let depth = 0;
  let operators = 0;
  let rules = 0;
  for (const { 0: token, index } of blankTexts(text).matchAll(TOKENS)) {
    if (token === ';') {
      rules += 1;
      operators = 0;
    } else if (/[([{]/.test(token)) {
      depth += 1;
    } else if (/[)\]}]/.test(token)) {
      depth = Math.max(0, depth - 1);
    } else {
      operators += 1;
    }
    if (depth > MAX_DEPTH || operators > MAX_OPERATORS) {
      const detail = `the rule nests more than ${MAX_DEPTH} deep, or has more than ${MAX_OPERATORS} operators`;
      return { index, detail, hint: 'Divide it into several rules.' };
    }
    if (rules > MAX_RULES) {
      const hint = 'Join some of them.';
      return { index, detail: `more than ${MAX_RULES} rules`, hint };
    }
  }
  return null;
}

/** What makes an expression deeper. */
const TOKENS = /[()[\]{};.+\-*!<>=]|&&|\|\||\b(?:if|in|is|has|like)\b/g;

/** Comments become spaces; nothing moves. */
export function blankComments(text: string): string {
  return text.replace(STRING_OR_COMMENT, (token) =>
    token.startsWith('//') ? blank(token) : token,
  );
}

function blankTexts(text: string): string {
  return text.replace(STRING_OR_COMMENT, blank);
}

/** As Cedar reads them. */
const STRING_OR_COMMENT = /"(?:\\.|[^"\\])*"|\/\/[^\n\r]*/g;

function blank(token: string): string {
  return ' '.repeat(token.length);
}
