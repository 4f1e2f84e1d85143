/** The verbs and their options. What a verb does is loaded when it is called: help must not wait for it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ControlAction } from '@ccdash/api/client';
import { createContext } from './context.ts';
import type { Context } from './context.ts';
import type { ChangeFlags } from './change-options.ts';
import { readVersion } from './version.ts';

type Pairs = Readonly<Record<string, string>>;

export interface ProgramOptions {
  /** Told how the verb ended. */
  readonly onExit: (exitCode: number) => void;
}

interface GlobalOptions {
  readonly json?: boolean;
  readonly project?: string;
}

export function createProgram({ onExit }: ProgramOptions): Command {
  const program = new Command('ccdash')
    .description('Runs coding-agent work as durable, supervised plans over a git repository.')
    .option('--json', 'one JSON document, or one JSON object a line where it streams')
    .option('--project <dir>', 'the project (default: the git repository around this folder)')
    .version(readVersion(), '--version', 'the version of ccdash')
    .helpCommand(false)
    .showHelpAfterError('(see: ccdash --help)')
    .addHelpText('after', '\nWithout a verb: ccdash serve. Exit codes: 0 done, 1 failed, 2 usage,')
    .addHelpText(
      'after',
      '3 waits for people, 4 refused, 5 not found, 6 conflict, 130 interrupted.',
    );

  const act = async (verb: (context: Context) => Promise<number>): Promise<void> => {
    const { json = false, project = null } = program.opts<GlobalOptions>();
    onExit(await verb(createContext({ isJson: json, projectOption: project })));
  };

  addServerVerbs(program, act);
  addPlanVerbs(program, act);
  addFeatureVerbs(program, act);
  addRunVerbs(program, act);
  addApprovalVerbs(program, act);
  addAdapterVerbs(program, act);
  addPolicyVerbs(program, act);
  addAuditVerbs(program, act);
  addMetricsVerb(program, act);
  addPeopleVerbs(program, act);
  forEachVerb(program, (verb) => verb.configureHelp({ showGlobalOptions: true }));
  return program;
}

function forEachVerb(command: Command, act: (verb: Command) => void): void {
  for (const verb of command.commands) {
    act(verb);
    forEachVerb(verb, act);
  }
}

type Act = (verb: (context: Context) => Promise<number>) => Promise<void>;

function addServerVerbs(program: Command, act: Act): void {
  program
    .command('serve')
    .description('server and web workbench on loopback; prints the link to open')
    .option('--port <n>', 'port (default: any that is free)', toPort)
    .option('--host <host>', '127.0.0.1, ::1 or localhost (default: 127.0.0.1)')
    .option('--open', 'open the link in a browser', false)
    .addOption(
      new Option('--background', 'as other verbs start it: says nothing but to its log')
        .default(false)
        .hideHelp(),
    )
    .action(({ port, host, open, background }: ServeFlags) =>
      act(async (context) => {
        const { serve } = await import('./serve.ts');
        return serve(context, { port: port ?? null, host: host ?? null, open, background });
      }),
    );
  program
    .command('stop')
    .description('end the server; work in progress goes on by itself')
    .action(() => act(async (context) => (await import('./serve.ts')).stop(context)));
}

interface ServeFlags {
  readonly port?: number;
  readonly host?: string;
  readonly open: boolean;
  readonly background: boolean;
}

function addPlanVerbs(program: Command, act: Act): void {
  const verbs = () => import('./project-verbs.ts');
  program
    .command('init')
    .description('write .ccdash/ with a commented config, a policy, an example plan')
    .addOption(
      new Option('--policy <which>', 'for somebody who works alone, or for a team')
        .choices(['default', 'strict'])
        .default('default'),
    )
    .action(({ policy }: { policy: 'default' | 'strict' }) =>
      act(async (context) => (await verbs()).init(context, policy)),
    );
  program
    .command('trust')
    .description(
      'show what has changed in the policy and config of .ccdash/, and accept them as they are now',
    )
    .option('--dry-run', 'show it and accept nothing')
    .option('--yes', 'do not ask')
    .action(({ dryRun = false, yes = false }: { dryRun?: boolean; yes?: boolean }) =>
      act(async (context) => {
        const { trust } = await import('./trust-verb.ts');
        return trust(context, { isDryRun: dryRun, isAgreed: yes });
      }),
    );
  const care = () => import('./care-verbs.ts');
  program
    .command('backup')
    .description('the whole state of this project as one file')
    .argument('<file>', 'a new file, such as state.tar.gz')
    .action((file: string) => act(async (context) => (await care()).backup(context, file)));
  program
    .command('restore')
    .description('make a backup the state of this project, which has none yet')
    .argument('<file>', 'what ccdash backup has written, here or on another machine')
    .action((file: string) => act(async (context) => (await care()).restore(context, file)));
  const plan = program.command('plan').description('plan files').helpCommand(false);
  plan
    .command('check')
    .description('every problem, with line and column')
    .argument('<file>')
    .action((file: string) => act(async (context) => (await verbs()).checkPlan(context, file)));
  plan
    .command('schema')
    .description('the JSON Schema of plan files')
    .action(() => act(async (context) => (await verbs()).printPlanSchema(context)));
  plan
    .command('show')
    .description('the graph of a plan, in text')
    .argument('<file>')
    .action((file: string) => act(async (context) => (await verbs()).showPlan(context, file)));
  plan
    .command('new')
    .description("a plan made of a feature's documents; again, and it says what changed in them")
    .option('--feature <slug>', 'the feature')
    .option('--template <name>', 'instead: feature, bugfix, refactor, release, upgrade, your own')
    .option('--phase <key>', 'one phase (default: all that are not finished)')
    .option('--agent <name>', 'who does the tasks', 'claude')
    .option('--out <file>', 'default: .ccdash/plans/<slug>.yaml; - prints it')
    .option('--force', 'also over a plan that was edited by hand', false)
    .action((options: NewPlanFlags) =>
      act(async (context) => {
        const { feature, template, phase, agent, out, force } = options;
        if (template !== undefined && feature === undefined) {
          const { planFromTemplate } = await import('./plan-template-verb.ts');
          return planFromTemplate(context, template, out ?? null);
        }
        if (feature === undefined || template !== undefined) {
          const { cliRefusal, refuse } = await import('./refusals.ts');
          const hint = 'Say --feature SLUG, or --template NAME.';
          return refuse(context, cliRefusal('UsageError', 'A plan is made of one thing.', hint));
        }
        const { newPlan } = await import('./plan-new-verb.ts');
        const asked = { feature, phase: phase ?? null, agent, out: out ?? null };
        return newPlan(context, { ...asked, isForced: force });
      }),
    );
}

interface NewPlanFlags {
  readonly feature?: string;
  readonly template?: string;
  readonly phase?: string;
  readonly agent: string;
  readonly out?: string;
  readonly force: boolean;
}

function addFeatureVerbs(program: Command, act: Act): void {
  const verbs = () => import('./feature-verbs.ts');
  program
    .command('features')
    .description("the features in the project's documents, each with its next step")
    .option('--all', 'also those that are done or deferred', false)
    .action(({ all }: { all: boolean }) =>
      act(async (context) => (await verbs()).listFeatures(context, all)),
    );
  program
    .command('feature')
    .description('one feature')
    .helpCommand(false)
    .command('show')
    .description('its documents, phases, tasks, runs, and the next step with its evidence')
    .argument('<slug>')
    .action((slug: string) => act(async (context) => (await verbs()).showFeature(context, slug)));
}

function addRunVerbs(program: Command, act: Act): void {
  const verbs = () => import('./run-verbs.ts');
  const run = program
    .command('run')
    .description('launch a plan and follow it')
    .argument('<file>', 'a plan file')
    .option('--feature <slug>', 'the feature it belongs to')
    .option('--input <name=value>', 'an input of the plan (repeatable)', addPair, {})
    .option('--detach', 'launch only', false)
    .option('--dry-run', 'order, verdicts, approvals and budget; runs nothing', false)
    .helpCommand(false)
    .action(
      (
        file: string,
        options: { feature?: string; input: Pairs; detach: boolean; dryRun: boolean },
      ) =>
        act(async (context) => {
          const { runPlan, dryRunPlan } = await verbs();
          const { feature, input: inputs, detach: isDetached } = options;
          if (options.dryRun) return dryRunPlan(context, file, inputs);
          return runPlan(context, file, { feature: feature ?? null, inputs, isDetached });
        }),
    );
  run
    .command('show')
    .description('the state of a run')
    .argument('<run>', 'its id, or the beginning of it')
    .action((id: string) => act(async (context) => (await verbs()).showRun(context, id)));
  run
    .command('diff')
    .description('what a run changed, or a step of it; of a step at work: up to now')
    .argument('<run>')
    .argument('[step]')
    .option('--attempt <n>', 'of the step (default: the newest)', toNumberFromOne)
    .action((id: string, step: string | undefined, { attempt }: { attempt?: number }) =>
      act(async (context) => {
        const { diffRun } = await import('./review-verbs.ts');
        return diffRun(context, id, { step: step ?? null, attempt: attempt ?? null });
      }),
    );
  program
    .command('logs')
    .description('the whole output of a step, without what a terminal would act on')
    .argument('<run>')
    .argument('<step>')
    .option('--attempt <n>', 'which one (default: the newest)', toNumberFromOne)
    .option('--follow', 'until the attempt ends', false)
    .option('--raw', 'the bytes as they are, for a file or a pipe', false)
    .action((id: string, step: string, options: LogFlags) =>
      act(async (context) => {
        const { attempt, follow: isFollowed, raw: isRaw } = options;
        const { showOutput } = await import('./review-verbs.ts');
        return showOutput(context, id, step, { attempt: attempt ?? null, isFollowed, isRaw });
      }),
    );
  program
    .command('runs')
    .description('every run, newest first')
    .action(() => act(async (context) => (await verbs()).listRuns(context)));
  program
    .command('watch')
    .description('follow a run')
    .argument('<run>')
    .action((id: string) => act(async (context) => (await verbs()).watchRun(context, id)));
  program
    .command('exec')
    .description('one command as a run of one step: ccdash exec -- npm test')
    .argument('<command...>', 'after --')
    .option('--feature <slug>', 'the feature it belongs to')
    .option('--detach', 'launch only', false)
    .action((argv: string[], options: { feature?: string; detach: boolean }) =>
      act(async (context) => {
        const { feature, detach: isDetached } = options;
        const { execCommand } = await verbs();
        return execCommand(context, argv, { feature: feature ?? null, inputs: {}, isDetached });
      }),
    );
  const control = (
    action: ControlAction,
    takes: 'no step' | 'a step' | 'some step',
    text: string,
  ) => {
    const verb = program.command(action).description(text).argument('<run>');
    if (takes !== 'no step') verb.argument(takes === 'a step' ? '<step>' : '[step]');
    verb
      .option('--reason <text>', 'kept in the log')
      .option('--dry-run', 'only say what it would do', false)
      .option('--digest <digest>', 'of the summary you looked at: does that or nothing');
    if (action === 'resume') {
      verb.option(
        '--take <step>',
        'where parallel work is in conflict: the files of this step count',
      );
    }
    if (takes === 'a step') verb.option('--yes', 'do not ask', false);
    if (takes === 'some step') {
      verb
        .option('--prompt-file <file>', 'with this prompt from now on')
        .option('--model <model>', 'with this model from now on')
        .option('--command <script>', 'with this command from now on')
        .option('--budget <name=value>', 'usd, tokens, turns or time (repeatable)', addPair, {});
    }
    verb.action((id: string, ...rest: unknown[]) =>
      act(async (context) => {
        const step = takes === 'no step' ? null : ((rest[0] as string | undefined) ?? null);
        const { reason, dryRun, digest, yes, take, ...flags } = verb.opts<
          ControlFlags & ChangeFlags
        >();
        const { controlWithChange } = await import('./control-verbs.ts');
        const also = take === undefined ? {} : { take };
        return controlWithChange(context, id, action, flags, {
          ...{ step, reason: reason ?? null, digest: digest ?? null, also },
          ...{ isDryRun: dryRun, isAgreed: yes ?? false },
        });
      }),
    );
  };
  control('cancel', 'no step', 'end a run; its workspace is kept');
  control(
    'pause',
    'no step',
    'let nothing more begin in a run; what runs ends, deadlines stand still',
  );
  control(
    'resume',
    'some step',
    'go on with a paused run, and with interrupted steps from where they were',
  );
  control('retry', 'some step', 'run failed steps again, from where they began');
  control('skip', 'a step', 'go on without a step; the policy may ask people first');
  program
    .command('fork')
    .description('begin a new run from a checkpoint of another, also of one that was canceled')
    .argument('<run>')
    .option('--at <step>', 'the step after which it begins (default: the newest checkpoint)')
    .option('--reason <text>', 'kept in the log')
    .option('--dry-run', 'only say what it would take over', false)
    .option('--digest <digest>', 'of the summary you looked at: does that or nothing')
    .action((id: string, options: ControlFlags & { at?: string }) =>
      act(async (context) => {
        const { at, reason, dryRun, digest } = options;
        const { forkRun } = await import('./control-verbs.ts');
        return forkRun(context, id, at ?? null, {
          ...{ reason: reason ?? null, digest: digest ?? null, isDryRun: dryRun },
        });
      }),
    );
  program
    .command('replan')
    .description('let a run follow another plan; what the new one leaves as it was stays done')
    .argument('<run>')
    .argument('<file>')
    .option('--input <name=value>', 'for an input that the plan so far has not', addPair, {})
    .option('--reason <text>', 'kept in the log')
    .option('--dry-run', 'only say what it would do', false)
    .option('--digest <digest>', 'of the summary you looked at: does that or nothing')
    .option('--yes', 'do not ask', false)
    .action((id: string, file: string, options: ControlFlags & { input: object }) =>
      act(async (context) => {
        const { reason, dryRun, digest, yes, input } = options;
        const { replanRun } = await import('./control-verbs.ts');
        return replanRun(context, id, file, {
          ...{ step: null, reason: reason ?? null, digest: digest ?? null },
          ...{ also: { inputs: input }, isDryRun: dryRun, isAgreed: yes ?? false },
        });
      }),
    );
  control('restart', 'a step', 'go back to before a step; it and what was built on it run again');
  program
    .command('tell')
    .description('say something to the agent of a step while it works')
    .argument('<run>')
    .argument('<step>')
    .argument('<message>')
    .option('--restart', 'stop the agent, and go on in its session with the message', false)
    .action((id: string, step: string, text: string, { restart }: { restart: boolean }) =>
      act(async (context) =>
        (await import('./tell-verb.ts')).tellAgent(context, id, { step, text, restart }),
      ),
    );
  program
    .command('artifacts')
    .description('what a run has kept, with the step and attempt that made it')
    .argument('<run>')
    .action((id: string) =>
      act(async (context) => (await import('./artifact-verbs.ts')).listArtifacts(context, id)),
    );
  program
    .command('artifact')
    .description('what runs have kept')
    .helpCommand(false)
    .command('get')
    .description('the bytes with this digest')
    .argument('<sha256>')
    .option('--out <file>', 'a file that does not exist yet (default: stdout)')
    .action((sha256: string, { out }: { out?: string }) =>
      act(async (context) =>
        (await import('./artifact-verbs.ts')).getArtifact(context, sha256, out ?? null),
      ),
    );
  program
    .command('mcp')
    .description('a server of the Model Context Protocol on stdin and stdout, for agents')
    .action(() => act(async (context) => (await import('./mcp-verb.ts')).serveMcp(context)));
  const report = program
    .command('report')
    .description('a run, of any status, as one file that proves itself')
    .helpCommand(false)
    .argument('<run>')
    .addOption(
      new Option('--format <format>', 'a page that needs no network, Markdown, or JSON')
        .choices(['html', 'md', 'json'])
        .default('html'),
    )
    .option('--out <file>', 'a file that does not exist yet (default: stdout)')
    .action((id: string, { format, out }: { format: 'html' | 'md' | 'json'; out?: string }) =>
      act(async (context) =>
        (await import('./report-verbs.ts')).writeReport(context, id, format, out ?? null),
      ),
    );
  report
    .command('verify')
    .description('hold a report to its entries and its signed head, without a server')
    .argument('<file>')
    .option('--public-key <key>', 'the key of the log, from whoever runs it')
    .option('--witness <file>', 'signed heads of the log, kept by somebody else')
    .action((file: string, { publicKey, witness }: { publicKey?: string; witness?: string }) =>
      act(async (context) =>
        (await import('./report-verbs.ts')).verifyReportFile(context, file, {
          publicKey: publicKey ?? null,
          witness: witness ?? null,
        }),
      ),
    );
  program
    .command('record')
    .description(
      'write what the model answered in a run as a script, to play it again without a key',
    )
    .argument('<run>')
    .requiredOption('--out <file>', 'the script file to write; one that is there is left alone')
    .action((id: string, { out }: { out: string }) =>
      act(async (context) => (await import('./record-verb.ts')).recordRun(context, id, out)),
    );
  program
    .command('apply')
    .description('bring the result into your repository; shows what changes, then asks')
    .argument('<run>')
    .addOption(
      new Option('--as <how>', 'a branch of its own, one commit, a merge commit, or a patch')
        .choices(['branch', 'squash', 'merge', 'patch'])
        .default('branch'),
    )
    .option('--branch <name>', 'the branch to make or to move')
    .option('--message <text>', 'of the commit')
    .option('--reason <text>', 'kept in the log')
    .option('--out <file>', 'for a patch; else it is printed')
    .option('--dirty', 'also where changes are not committed; none is overwritten', false)
    .option('--dry-run', 'only show what would change', false)
    .option('--yes', 'do not ask', false)
    .action((id: string, options: ApplyFlags) =>
      act(async (context) => {
        const { as, branch, message, reason, out, dirty, dryRun, yes } = options;
        const { applyRun } = await import('./apply-verbs.ts');
        return applyRun(context, id, {
          ...{ as, branch: branch ?? null, message: message ?? null, reason: reason ?? null },
          ...{ out: out ?? null, isDirtyAllowed: dirty, isDryRun: dryRun, isAgreed: yes },
        });
      }),
    );
}

interface ControlFlags {
  readonly take?: string;
  readonly reason?: string;
  readonly dryRun: boolean;
  readonly digest?: string;
  readonly yes?: boolean;
}

interface LogFlags {
  readonly attempt?: number;
  readonly follow: boolean;
  readonly raw: boolean;
}

interface ApplyFlags {
  readonly as: 'branch' | 'squash' | 'merge' | 'patch';
  readonly branch?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly out?: string;
  readonly dirty: boolean;
  readonly dryRun: boolean;
  readonly yes: boolean;
}

function addApprovalVerbs(program: Command, act: Act): void {
  const verbs = () => import('./approval-verbs.ts');
  const approvals = program
    .command('approvals')
    .description('what waits for a decision: what, why, which rule, digest')
    .option('--all', 'also those that are decided', false)
    .helpCommand(false)
    .action(({ all }: { all: boolean }) =>
      act(async (context) => (await verbs()).listApprovals(context, all)),
    );
  approvals
    .command('show')
    .description('one request')
    .argument('<id>', 'of the request, or the beginning of it')
    .action((id: string) => act(async (context) => (await verbs()).showApproval(context, id)));
  approvals
    .command('diff')
    .description('what has changed in the workspace that a request is about')
    .argument('<id>', 'of the request, or the beginning of it')
    .action((id: string) =>
      act(async (context) => (await import('./review-verbs.ts')).diffApproval(context, id)),
    );
  interface Options extends Proof {
    readonly reason?: string;
    readonly digest?: string;
    readonly form?: Pairs;
  }
  const decision = (name: 'approve' | 'reject', description: string): Command =>
    program
      .command(name)
      .description(description)
      .argument('<id>', 'of the request, or the beginning of it')
      .option('--reason <text>', 'why', '')
      .option('--digest <digest>', 'decide only if this is what is asked')
      .option('--code <code>', 'a one-time code, as a proof that it is you')
      .option('--ssh-key <file>', 'sign the decision with this key, as a proof that it is you')
      .action((id: string, { reason = '', digest, form = {}, ...proof }: Options) =>
        act(async (context) => {
          const options = { decision: name, reason, digest: digest ?? null, form, proof };
          return (await verbs()).decide(context, id, options);
        }),
      );
  decision('approve', 'approve a request').option(
    '--form <name=value>',
    'a field of its form (repeatable)',
    addPair,
    {},
  );
  decision('reject', 'reject a request; needs a reason');
  const override = program
    .command('override')
    .description('let a step start once although the policy says otherwise')
    .argument('<run>')
    .argument('<step>')
    .option('--reason <text>', 'why, in 20 characters or more', '')
    .option('--dry-run', 'what it would lift; asks for nothing', false)
    .option('--code <code>', 'a one-time code, as a proof that it is you')
    .option('--ssh-key <file>', 'sign it with this key, as a proof that it is you')
    .action((run: string, step: string, options: Proof & { reason: string; dryRun: boolean }) =>
      act(async (context) => (await verbs()).override(context, run, step, options)),
    );
  override.helpCommand(false);
  program
    .command('review')
    .description('record that you have looked at an override')
    .argument('<id>', 'of the override')
    .requiredOption('--note <text>', 'what you think of it')
    .action((id: string, { note }: { note: string }) =>
      act(async (context) => (await verbs()).review(context, id, note)),
    );
}

function addAdapterVerbs(program: Command, act: Act): void {
  const verbs = () => import('./adapter-verbs.ts');
  const adapters = program
    .command('adapters')
    .description('the agents that steps may name: versions, capabilities, whether they run')
    .helpCommand(false)
    .action(() => act(async (context) => (await verbs()).listAdapters(context)));
  adapters
    .command('check')
    .description('hold an installed agent to the conformance cases')
    .argument('<name>')
    .action((name: string) => act(async (context) => (await verbs()).checkAdapter(context, name)));
}

interface Proof {
  readonly code?: string;
  readonly sshKey?: string;
}

function addPeopleVerbs(program: Command, act: Act): void {
  const verbs = () => import('./people-verbs.ts');
  const users = program
    .command('users')
    .description('people, their roles, and how they get in')
    .helpCommand(false)
    .action(() => act(async (context) => (await verbs()).listPeople(context)));
  users
    .command('add')
    .description('add a person, and show their login')
    .argument('<name>')
    .requiredOption(
      '--role <role>',
      'viewer, operator, approver or admin (repeatable)',
      addText,
      [],
    )
    .action((name: string, { role }: { role: readonly string[] }) =>
      act(async (context) => (await verbs()).addPerson(context, name, role)),
    );
  users
    .command('role')
    .description('give a person these roles and no others')
    .argument('<name>')
    .argument('<roles...>', 'viewer, operator, approver, admin')
    .action((name: string, roles: readonly string[]) =>
      act(async (context) => (await verbs()).setRoles(context, name, roles)),
    );
  users
    .command('revoke')
    .description('end the access of a person at once')
    .argument('<name>')
    .option('--reason <text>', 'why', '')
    .action((name: string, { reason }: { reason: string }) =>
      act(async (context) => (await verbs()).revokePerson(context, name, reason)),
    );
  users
    .command('login')
    .description('a login code for a person')
    .argument('<name>')
    .action((name: string) =>
      act(async (context) => (await verbs()).createPersonLogin(context, name)),
    );
  users
    .command('me')
    .description('who this terminal is')
    .action(() => act(async (context) => (await verbs()).whoAmI(context)));
  const withProof = (command: Command): Command =>
    command
      .option('--code <code>', 'prove that it is you with a one-time code')
      .option('--ssh-key <file>', 'or with an SSH key that is known already');
  withProof(users.command('totp'))
    .description('prove your decisions with one-time codes')
    .action((proof: Proof) => act(async (context) => (await verbs()).addTotp(context, proof)));
  withProof(users.command('ssh-key'))
    .description('prove your decisions with an SSH key')
    .argument('<file>', 'the public key')
    .action((file: string, proof: Proof) =>
      act(async (context) => (await verbs()).addSshKey(context, file, proof)),
    );
  program
    .command('login')
    .description('log this terminal in to a server that somebody else runs')
    .argument('<code>', 'from an admin: ccdash users login NAME')
    .requiredOption('--server <url>', 'http://127.0.0.1:PORT')
    .action((code: string, { server }: { server: string }) =>
      act(async (context) => (await verbs()).login(context, server, code)),
    );
}

function addPolicyVerbs(program: Command, act: Act): void {
  const verbs = () => import('./policy-verbs.ts');
  const policy = program
    .command('policy')
    .description('try the policy of the project as its files are now, before it is trusted')
    .helpCommand(false);
  policy
    .command('check')
    .description(
      'the files; or what they say to a command or step: exit 0 allowed, 3 asks, 4 denied',
    )
    .option('--command <text>', 'a command, as the `run` of a step')
    .option('--step <file#id>', 'a step of a plan file')
    .action(({ command, step }: { command?: string; step?: string }) =>
      act(async (context) =>
        (await verbs()).checkPolicy(context, { command: command ?? null, step: step ?? null }),
      ),
    );
  policy
    .command('test')
    .description('the cases in .ccdash/policy/cases.yaml, or of the file: exit 1 when one fails')
    .argument('[file]', 'a table of cases, in YAML')
    .action((file: string | undefined) =>
      act(async (context) => (await verbs()).testPolicy(context, file ?? null)),
    );
}

function addAuditVerbs(program: Command, act: Act): void {
  const verbs = () => import('./audit-verbs.ts');
  const audit = program.command('audit').description('the log').helpCommand(false);
  audit
    .command('show')
    .description('its entries, oldest first')
    .option('--from <position>', 'the first one', toCount, 0)
    .option('--limit <n>', 'how many', toCount, Infinity)
    .action((options: { from: number; limit: number }) =>
      act(async (context) => (await verbs()).showAudit(context, options)),
    );
  audit
    .command('verify')
    .description("verify the project's log, or an exported one (without a server)")
    .argument('[file]', 'an export')
    .option('--file <file>', 'the same')
    .option('--public-key <key>', 'the only key to accept, for an export')
    .action((file: string | undefined, options: { file?: string; publicKey?: string }) =>
      act(async (context) => {
        const { verifyAudit, verifyAuditFile } = await verbs();
        const named = file ?? options.file;
        return named === undefined
          ? verifyAudit(context)
          : verifyAuditFile(context, named, options.publicKey ?? null);
      }),
    );
  audit
    .command('export')
    .description('the log as lines for the offline verifier')
    .option('--out <file>', 'a file that does not exist yet (default: stdout)')
    .action(({ out }: { out?: string }) =>
      act(async (context) => (await verbs()).exportAudit(context, out ?? null)),
    );
}

function addMetricsVerb(program: Command, act: Act): void {
  program
    .command('metrics')
    .description('how well it goes: orchestration, resumes, bypasses, time to recover, cost')
    .option('--since <time>', 'of runs launched since then (default: of all)')
    .action(({ since }: { since?: string }) =>
      act(async (context) => {
        const { showMetrics } = await import('./metrics-verb.ts');
        return showMetrics(context, since ?? null);
      }),
    );
}

function toPort(text: string): number {
  const port = toCount(text);
  if (port > 65_535) throw new InvalidArgumentError('It is a number up to 65535.');
  return port;
}

function toCount(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It is a whole number.');
  return Number(text);
}

function toNumberFromOne(text: string): number {
  const count = toCount(text);
  if (count === 0) throw new InvalidArgumentError('They are numbered from 1.');
  return count;
}

function addText(text: string, texts: readonly string[]): readonly string[] {
  return [...texts, text];
}

function addPair(text: string, pairs: Pairs): Pairs {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Write it as name=value.');
  return { ...pairs, [text.slice(0, at)]: text.slice(at + 1) };
}
