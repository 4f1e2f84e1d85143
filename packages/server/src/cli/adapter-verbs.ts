/** The agents that steps may name: what is installed, what each can do, and whether it keeps the rules. */
import type { AdapterView } from '@ccdash/api/client';
import { connect } from './connect.ts';
import type { Context, Style } from './context.ts';
import { findProject } from './project.ts';
import { EXIT, failureToRefusal, problemToRefusal, refuse } from './refusals.ts';

export async function listAdapters(context: Context): Promise<number> {
  const connection = await connect(context);
  if (!connection.ok) return refuse(context, connection.error);
  const adapters = await connection.value.client.adapters();
  if (!adapters.ok) return refuse(context, problemToRefusal(adapters.error));
  if (context.isJson) {
    context.writeJson(adapters.value);
    return EXIT.done;
  }
  for (const adapter of adapters.value) sayAdapter(context, adapter);
  context.say({ text: 'Hold one to its rules: ccdash adapters check NAME', style: 'quiet' });
  return EXIT.done;
}

const STATUS: Readonly<Record<AdapterView['status'], readonly [word: string, style: Style]>> = {
  ready: ['ready', 'good'],
  'not-installed': ['not installed', 'wait'],
  broken: ['broken', 'bad'],
};

function sayAdapter(context: Context, adapter: AdapterView): void {
  const { id, status, problem, install, adapterVersion, testedVersion } = adapter;
  const { sdkVersion, programVersion, skipped } = adapter;
  const [word, style] = STATUS[status];
  const versions = [
    `adapter ${adapterVersion}`,
    ...(sdkVersion === null ? [] : [`SDK ${sdkVersion}`]),
    ...(programVersion === null ? [] : [`program ${programVersion}`]),
    ...(testedVersion === null ? [] : [`tested with ${testedVersion}`]),
  ];
  context.say({ text: id.padEnd(12), style: 'bold' }, '  ', { text: word, style });
  context.say(`  ${versions.join(', ')}`);
  if (problem !== null) context.say(`  ${problem}`);
  if (status !== 'ready' && install !== null) context.say(`  install it: ${install}`);
  context.say({ text: `  ${capabilitiesToText(adapter.capabilities)}`, style: 'quiet' });
  for (const { name, reason } of skipped) {
    context.say({ text: `  not held to “${name}”: ${reason}`, style: 'quiet' });
  }
}

function capabilitiesToText(capabilities: AdapterView['capabilities']): string {
  const { permission, resume, fork, structuredOutput, cost, steering, mcp, subagents, gateway } =
    capabilities;
  return [
    PERMISSION[permission],
    ...(resume ? ['resumes its session'] : []),
    ...(fork ? ['forks it'] : []),
    ...(structuredOutput === 'none' ? [] : [`answers by a schema (${structuredOutput})`]),
    cost === 'none' ? 'cost unknown' : `counts ${cost}`,
    steering === 'message' ? 'takes messages at work' : 'takes messages by a restart',
    ...(mcp ? ['MCP servers'] : []),
    ...(subagents === 'folded' ? ['agents of its own'] : []),
    gateway ? 'by the gateway' : 'not by the gateway',
  ].join(' · ');
}

const PERMISSION: Readonly<Record<AdapterView['capabilities']['permission'], string>> = {
  callback: 'asks before each tool call',
  'policy-only': 'holds to rules, cannot ask',
  'agent-discretion': 'asks when it likes',
};

/** Runs the conformance cases here, without a server; exit code 1 when a rule is broken. */
export async function checkAdapter(context: Context, name: string): Promise<number> {
  const { checkAdapter: check } = await import('../app.ts');
  const project = findProject(context);
  const onCase: Parameters<typeof check>[1] = ({ rule, name: what, status, ...how }) => {
    const { detail, durationMs } = how;
    const [word, style] = CASE[status];
    context.say({ text: word, style }, `  ${rule.padEnd(5)}  ${what}`, {
      text: status === 'skipped' ? '' : `  ${(durationMs / 1000).toFixed(1)} s`,
      style: 'quiet',
    });
    if (detail !== null) context.say(`          ${detail}`);
  };
  const checked = await check(name, onCase, project.ok ? project.value : null);
  if (!checked.ok) return refuse(context, failureToRefusal(checked.error));
  const count = (status: string): number =>
    checked.value.filter((each) => each.status === status).length;
  const isOk = count('broken') === 0;
  if (context.isJson) context.writeJson({ adapter: name, ok: isOk, cases: checked.value });
  const skipped = count('skipped') === 0 ? '' : `, ${count('skipped')} skipped`;
  context.say(
    { text: isOk ? 'holds' : 'broken', style: isOk ? 'good' : 'bad' },
    `  ${name}: ${count('held')} of ${checked.value.length} cases held${skipped}`,
  );
  return isOk ? EXIT.done : EXIT.failed;
}

const CASE = {
  held: ['held   ', 'good'],
  broken: ['broken ', 'bad'],
  skipped: ['skipped', 'wait'],
} as const satisfies Readonly<Record<string, readonly [string, Style]>>;
