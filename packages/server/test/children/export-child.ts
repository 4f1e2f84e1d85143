/** Prints the export of a log that no engine holds open. argv: state folder. */
import { openLog } from '../../src/app.ts';

const opened = openLog(process.argv[2] ?? '');
if (!opened.ok) throw new Error(JSON.stringify(opened.error));
const lines = opened.value.exportLog();
if (!lines.ok) throw new Error(JSON.stringify(lines.error));
for (const line of lines.value) process.stdout.write(`${line}\n`);
opened.value.close();
