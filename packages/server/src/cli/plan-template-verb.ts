/** `ccdash plan new --template`: a plan file from a template of the project's own, or of those that come with CCDash. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { parsePlan } from '@ccdash/api/plan';
import { err, ok } from '@ccdash/api/client';
import type { Result } from '@ccdash/api/client';
import { readAsset } from '../base/assets.ts';
import { listProjectFolder, readProjectText } from '../base/project-files.ts';
import type { Context } from './context.ts';
import { findProject } from './project.ts';
import { EXIT, cliRefusal, failureToRefusal, refuse } from './refusals.ts';
import type { CliRefusal } from './refusals.ts';

const OWN = '.ccdash/templates';
const PLANS = '.ccdash/plans';
const SHIPPED: readonly string[] = ['bugfix', 'feature', 'refactor', 'release', 'upgrade'];
const MAX_TEMPLATE_BYTES = 256 * 1024;

/** `out`: null for a plan of the template's name, `-` to print it. A file that is there is left alone. */
export function planFromTemplate(context: Context, name: string, out: string | null): number {
  const project = findProject(context);
  if (!project.ok) return refuse(context, project.error);
  const { dir } = project.value;
  const text = readTemplate(dir, name);
  if (!text.ok) return refuse(context, text.error);
  const reading = parsePlan(text.value, { file: name });
  if (!reading.ok) {
    const [problem] = reading.problems;
    const where =
      problem === undefined ? '' : `${problem.at.line}:${problem.at.column}: ${problem.detail}`;
    const detail = `The template ${name} is no plan: ${where}`;
    return refuse(context, cliRefusal('FileUnusable', detail, `Mend ${OWN}/${name}.yaml.`));
  }
  if (out === '-') {
    context.writeRaw(text.value);
    return EXIT.done;
  }
  // The folder comes with the repository: a link there must not lead the file elsewhere.
  const folder = out === null ? listProjectFolder(dir, PLANS) : null;
  if (folder?.ok === false) return refuse(context, failureToRefusal(folder.error));
  const file = out === null ? resolve(dir, PLANS, `${name}.yaml`) : resolve(context.cwd, out);
  const path = relative(context.cwd, file);
  const shown = path.startsWith('..') || isAbsolute(path) ? file : path;
  try {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text.value, { flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    const detail = `${shown} was not written (${String(error.code)}).`;
    const hint = 'Name a file that does not exist yet: --out FILE';
    return refuse(context, cliRefusal('FileUnusable', detail, hint));
  }
  const inputs = Object.entries(reading.plan.inputs).filter(([, input]) => input.required);
  const given = inputs.map(([input]) => ` --input ${input}="…"`).join('');
  if (context.isJson) context.writeJson({ file, inputs: inputs.map(([input]) => input) });
  else {
    context.say({ text: 'written', style: 'good' }, `  ${shown}`);
    context.say('Look at what checks the work, then try it:');
    context.say(`  ccdash run ${shown}${given} --dry-run`);
  }
  return EXIT.done;
}

/** The project's own comes before one of the same name that is shipped. */
function readTemplate(projectDir: string, name: string): Result<string, CliRefusal> {
  const names = listProjectFolder(projectDir, OWN);
  if (!names.ok) return err(failureToRefusal(names.error));
  const own = (names.value ?? []).flatMap(
    (file) => /^([a-z][a-z0-9-]*)\.yaml$/.exec(file)?.[1] ?? [],
  );
  if (own.includes(name)) {
    const text = readProjectText(projectDir, `${OWN}/${name}.yaml`, MAX_TEMPLATE_BYTES);
    if (!text.ok) return err(failureToRefusal(text.error));
    if (text.value !== null) return ok(text.value);
  }
  if (SHIPPED.includes(name)) return ok(readAsset(`templates/${name}.yaml`));
  const known = [...new Set([...own, ...SHIPPED])].toSorted().join(', ');
  const hint = `There are: ${known}. Your own go to ${OWN}/NAME.yaml.`;
  return err(cliRefusal('UsageError', 'There is no such template.', hint));
}
