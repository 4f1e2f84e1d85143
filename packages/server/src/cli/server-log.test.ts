import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { boundServerLog, serverLogPath } from './server-log.ts';

test('[EN24] is set aside once it is large, and its server writes on', () => {
  const dir = mkdtempSync(`${tmpdir()}/ccdash-log-`);
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const path = serverLogPath(dir);
  boundServerLog(path);
  const file = openSync(path, 'a');
  writeSync(file, 'small\n');
  boundServerLog(path);
  expect(readFileSync(path, 'utf8')).toBe('small\n');
  for (let round = 1; round <= 3; round += 1) {
    writeSync(file, `${round}`.repeat(2 ** 20 + 1));
    boundServerLog(path);
    expect(statSync(path).size).toBe(0);
    expect(readFileSync(`${path}.1`, 'utf8').at(-1)).toBe(`${round}`);
  }
  writeSync(file, 'after\n');
  closeSync(file);
  expect(readFileSync(path, 'utf8')).toBe('after\n');
});
