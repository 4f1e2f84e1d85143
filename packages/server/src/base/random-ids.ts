import { randomBytes, randomUUID } from 'node:crypto';
import type { Ids } from '@ccdash/core';

/** Digits in the order of their characters, without those that are mistaken for one another. */
const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_DIGITS = 9;
const RANDOM_DIGITS = 7;

/** Ids that sort by the millisecond they were made in, with 35 random bits behind it. */
export function createRandomIds(): Ids {
  return {
    next: (prefix) => `${prefix}_${timeDigits(Date.now())}${randomDigits()}`,
    uuid: () => randomUUID(),
  };
}

function timeDigits(ms: number): string {
  let text = '';
  for (let rest = ms; text.length < TIME_DIGITS; rest = Math.floor(rest / 32)) {
    text = (DIGITS[rest % 32] ?? '0') + text;
  }
  return text;
}

function randomDigits(): string {
  return [...randomBytes(RANDOM_DIGITS)].map((byte) => DIGITS[byte % 32] ?? '0').join('');
}
