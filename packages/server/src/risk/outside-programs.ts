/** Programs that reach beyond the workspace: other machines, services, and the machine itself. */
import {
  both,
  bySubcommand,
  code,
  does,
  each,
  hasOption,
  splitArgs,
  textOf,
  textOnly,
  writer,
} from './program.ts';
import type { Program, Programs } from './program.ts';

function all(names: string, program: Program): Programs {
  return Object.fromEntries(names.split(' ').map((name) => [name, program]));
}

const network = does('network');
const publishes = does('publishes', 'network');

/** Fetches; where it writes, and what it sends, is in its options. */
const curl: Program = (call) => {
  const { sight, args, program } = call;
  const { options, isOpen } = splitArgs(args);
  network(call);
  if (isOpen || hasOption(options, 'K config'))
    sight.unproven(`${program} may do what a file says`);
  args.forEach((word, index) => {
    const text = textOf(word) ?? '';
    const next = args[index + 1];
    if (
      /^(-o|--output|--output-dir|-D|--dump-header|-c|--cookie-jar|--trace(-ascii)?|--stderr)$/.test(
        text,
      ) &&
      next !== undefined
    ) {
      sight.writes(next);
    } else if (/^(-[a-zA-Z]*[oOJ]|--remote-name|-O)/.test(text))
      sight.add('writes-workspace', `${program} writes files`);
    if (/^(-T|--upload-file|-F|--form|-d|--data.*|--json|-X|--request)/.test(text)) {
      const what = `${text.replace(/^(-[a-zA-Z]|--[a-z-]+)=?/, '')} ${next?.text ?? ''}`;
      if (!/^\s*(GET|HEAD|OPTIONS)\b/.test(what))
        sight.add('publishes', `${program} sends something to another machine`);
      const sent = /@(.+)$|^\s*([^=@\s]+)$/.exec(what.trim());
      const file = sent?.[1] ?? (/^(-T|--upload)/.test(text) ? sent?.[2] : undefined);
      if (file !== undefined) sight.reads({ kind: 'exact', text: file });
    }
    if (/^(file|dict|gopher|scp|sftp|smb|telnet|ldap):/i.test(word.text))
      sight.unproven(`${program} uses ${word.text}`);
  });
};

const wget: Program = (call) => {
  const { options, operands, isOpen } = splitArgs(call.args);
  network(call);
  call.sight.add('writes-workspace', 'wget writes files');
  if (isOpen || hasOption(options, 'e execute config use-askpass'))
    call.sight.unproven('wget may do what its options say');
  if (hasOption(options, 'post-data post-file body-data body-file method'))
    call.sight.add('publishes', 'wget sends something to another machine');
  for (const word of operands)
    if (!/^\w+:\/\//.test(word.text) && /^[/~.]|\.\./.test(word.text)) call.sight.writes(word);
};

const DEPLOYING =
  /^(deploy|publish|release|push|up|promote|rollback|apply|create|delete|destroy|scale|set|update|rm|remove|put|patch|start|stop|restart|run|exec|edit|merge|close|comment|review|reopen|enable|disable|transfer|sync|cp|mv|rollout|drain|cordon|taint|label|annotate|replace|install|upgrade|uninstall|import|invoke|terminate\S*|delete\S*|create\S*|update\S*|put\S*|modify\S*|attach\S*|detach\S*|run\S*|start\S*|stop\S*|reboot\S*)$/;
const DESTROYING =
  /^(delete\S*|destroy|rm|remove|uninstall|terminate\S*|drop|purge|rollback|rb|wipe|drain)$/;
const SECRET =
  /secret|token|credential|password|passwd|ssm|decrypt|print-access-token|kubeconfig|login/i;

/** Clients of services: what they do is in their words, and what is not known to be a question may be a deployment. */
function service(asking: RegExp): Program {
  return ({ program, args, sight }) => {
    const words = args.map((word) => textOf(word)).filter((text) => text?.startsWith('-') !== true);
    sight.add('network', `${program} talks to a service`);
    if (args.length === 1 && /^(--?version|version|--help|-h|help)$/.test(args[0]?.text ?? ''))
      return;
    if (words.some((text) => text === null))
      sight.unproven(`what ${program} is told cannot be told`);
    const known = words.filter((text) => text !== null);
    if (args.some(({ text }) => SECRET.test(text)))
      sight.add('secrets', `${program} may show or change secrets`);
    if (known.some((text) => DESTROYING.test(text)))
      sight.add('destructive', `${program} removes something of a service`);
    if (known.some((text) => DEPLOYING.test(text)) || known.length === 0) {
      sight.add('publishes', `${program} changes something of a service`);
    } else if (!known.some((text) => asking.test(text))) {
      sight.unproven(`what ${program} ${known.join(' ')} does is not known`);
    }
  };
}

const gh: Program = (call) => {
  const { args, sight } = call;
  const [group, verb] = args.map(textOf);
  if (group === 'api') {
    network(call);
    const writes = args.some(({ text }) =>
      /^(-X|--method|-f|-F|--field|--raw-field|--input)/.test(text),
    );
    if (writes) sight.add('publishes', 'gh api may change something');
    if (args.some((word) => word.kind !== 'exact'))
      sight.unproven('what gh api is told cannot be told');
    return;
  }
  if (group === 'auth' && verb === 'status') network(call);
  else if (group === 'auth') does('secrets', 'network')(call);
  else if (/^(extension|alias|config|codespace|cs)$/.test(group ?? ''))
    sight.unproven('gh may run other programs');
  else service(/^(view|list|status|diff|checks|watch|search|browse|download)$/)(call);
};

const docker: Program = (call) => {
  const { args, sight } = call;
  const words = args.map(textOf).filter((text) => text?.startsWith('-') !== true);
  const [first, second] = words;
  const verb = /^(image|container|volume|network|system|compose|buildx|builder|context)$/.test(
    first ?? '',
  )
    ? second
    : first;
  if (
    /^(ps|images|ls|logs|inspect|version|info|top|stats|port|history|diff|config|events|df)$/.test(
      verb ?? '',
    ) ||
    args.length === 0 ||
    /^--version$/.test(args[0]?.text ?? '')
  ) {
    sight.add('reads', `${call.program} tells about containers`);
    return;
  }
  if (/^(push|login|logout)$/.test(verb ?? '')) publishes(call);
  else if (/^(rm|rmi|prune|kill|down)$/.test(verb ?? '')) does('destructive')(call);
  if (/^(pull|search|build|run|up|create)$/.test(verb ?? '')) network(call);
  sight.add('privileged', `${call.program} controls the machine's containers`);
};

const terraform = bySubcommand({
  ...all('fmt validate version graph providers', code),
  ...all('init plan get', both(code, network)),
  ...all('show output state', does('secrets', 'network')),
  apply: publishes,
  destroy: both(publishes, does('destructive')),
  ...all('import taint untaint', publishes),
});

const privileged = does('privileged');
const anything = does('network', 'unparsed');

export const OUTSIDE_PROGRAMS: Programs = {
  curl,
  wget,
  ...each('ping nslookup dig host whois traceroute mtr getent', network),
  ...each(
    'ssh scp sftp nc ncat netcat socat telnet ftp lftp aria2c http https xh rclone mosh openssl s_client',
    anything,
  ),
  ...each(
    'aws gcloud az doctl oci ibmcloud linode-cli hcloud',
    service(/^(describe\S*|list\S*|ls|get\S*|show|head\S*|help|wait|configuration)$/),
  ),
  ...each(
    'kubectl oc',
    service(
      /^(get|describe|logs|top|version|explain|api-resources|api-versions|cluster-info|config|view|diff|auth)$/,
    ),
  ),
  helm: service(/^(list|ls|status|get|show|template|lint|history|search|env|version|dependency)$/),
  ...each(
    'vercel netlify heroku flyctl fly wrangler firebase serverless sls cdk pulumi railway surge eb amplify now render cap kamal ansible-playbook ansible skaffold argocd flux sst',
    service(
      /^(list|ls|status|logs|info|whoami|dev|preview|diff|synth|synthesize|config|get|show)$/,
    ),
  ),
  gh,
  ...each('glab hub', service(/^(view|list|status|diff|checks|ls)$/)),
  ...each('docker podman nerdctl buildah', docker),
  'docker-compose': docker,
  ...each('terraform tofu terragrunt', terraform),
  twine: publishes,
  ...each(
    'psql mysql mariadb mongosh mongo redis-cli sqlite3 clickhouse-client cqlsh bq snowsql',
    both(does('unparsed'), ({ program, args, sight }) => {
      sight.add('network', `${program} may reach a server`);
      if (args.some(({ text }) => /\b(drop|truncate|delete|flushall|flushdb)\b/i.test(text)))
        sight.add('destructive', `${program} is told to remove data`);
    }),
  ),
  ...each('dropdb mysqladmin', does('destructive', 'network')),
  ...each('pg_dump mysqldump pg_restore', does('network', 'unparsed')),
  ...each(
    'mkfs mkfs.ext4 mkfs.xfs mkfs.btrfs fdisk parted sfdisk wipefs mkswap',
    does('destructive', 'privileged'),
  ),
  ...each(
    'mount umount swapon swapoff losetup insmod rmmod modprobe sysctl iptables ip6tables nft ufw firewall-cmd systemctl service initctl launchctl shutdown reboot halt poweroff init useradd userdel usermod groupadd passwd chpasswd visudo setcap setfacl chattr crontab hostnamectl timedatectl ip ifconfig route ethtool loginctl journalctl dmesg bpftool auditctl semanage setenforce update-alternatives ldconfig ccdash',
    privileged,
  ),
  ...each(
    'apt apt-get aptitude dpkg yum dnf apk pacman zypper brew port snap flatpak nix nix-env nix-shell emerge choco winget conda mamba',
    does('privileged', 'network', 'writes-outside'),
  ),
  ...each(
    'gpg gpg2 pass op vault security keyctl secret-tool ssh-add ssh-keygen ssh-agent age sops keytool aws-vault chamber doppler infisical',
    does('secrets', 'unparsed'),
  ),
  ...each(
    'svn hg fossil jj p4',
    service(/^(status|st|diff|log|info|show|blame|annotate|cat|list)$/),
  ),
  ...each(
    'pbcopy pbpaste xclip xsel wl-copy wl-paste osascript open xdg-open say notify-send screencapture import',
    does('writes-outside'),
  ),
  ...each('vi vim nvim nano emacs ed ex code subl less more man view', does('unparsed')),
  'apt-cache': textOnly,
  mail: publishes,
  ...each('sendmail mutt', publishes),
  envsubst: does('secrets'),
  logger: does('writes-outside'),
  'git-lfs': network,
  m4: writer('F'),
};
