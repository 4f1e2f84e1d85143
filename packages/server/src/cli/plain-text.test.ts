import { describe, expect, test } from 'vitest';
import { toPlainJson, toPlainLine, toPlainText } from './plain-text.ts';

describe('text from elsewhere', () => {
  test.each([
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b]0;title\u0007shown', 'shown'],
    ['\u001b]52;c;c2VjcmV0\u001b\\shown', 'shown'],
    ['\u001bPq#0\u001b\\shown', 'shown'],
    ['\u009b31mred', 'red'],
    ['\u009d0;title\u009cshown', 'shown'],
    ['\u001b]8;;http://evil.example\u0007link\u001b]8;;\u0007', 'link'],
    ['\u001bc\u001b(Breset', 'reset'],
    ['\u001b[2J\u001b[1;1Happrove? y', 'approve? y'],
    ['over\rwritten', 'overwritten'],
    ['back\b\b\b\bspace', 'backspace'],
    ['bell\u0007', 'bell'],
    ['un\u202edetrevni\u202c', 'undetrevni'],
    ['zero\u200bwidth\ufeff', 'zerowidth'],
    ['tag\u{e0041}ged', 'tagged'],
    ['a\r\nb\tc\n', 'a\nb\tc\n'],
    ['naïve 日本 👍', 'naïve 日本 👍'],
    ['\u001b', ''],
    ['cut \u001b[3', 'cut '],
    ['cut \u001b]0;title', 'cut '],
  ])('[CL23] %j is shown as %j', (text, shown) => {
    expect(toPlainText(text)).toBe(shown);
  });

  test('[CL23] a line has no breaks, and says that it was cut', () => {
    expect(toPlainLine(' a\n\tb  c ')).toBe('a b c');
    expect(toPlainLine('abcdef', 4)).toBe('abc…');
    expect(toPlainLine('abcd', 4)).toBe('abcd');
  });

  test('[CL23] JSON says the same with no character that a terminal acts on', () => {
    const value = { text: '\u001b[31m\u009b1m\u202e\u200b\u007f é' };
    const json = toPlainJson(value);
    expect(json).toMatch(/^[\x20-\x7eé]*$/);
    expect(JSON.parse(json)).toEqual(value);
  });
});
