// Units of systemd for the gateway and for workers: as little of the machine as they need.
import { BedsideError } from '../../util/index.ts';

/** What the unit of either service says. */
export interface UnitSettings {
  /** The command: Node, and the program. */
  readonly command: readonly string[];
  /** Its arguments; `%d` is the folder of its credentials, `%S` that of states. */
  readonly words: readonly string[];
  /** Files that only the service may read, by the name under which it finds them. */
  readonly credentials: Readonly<Record<string, string>>;
  /** User that it runs as; default: one that systemd makes up for it. */
  readonly user?: string | undefined;
  /** Most bytes of memory, as systemd writes them. */
  readonly memory: string;
  /** Folders below `/var/lib` that it keeps things in. */
  readonly state: readonly string[];
  readonly description: string;
  /** Options of Node, as `NODE_OPTIONS` takes them. */
  readonly nodeOptions?: string | undefined;
}

/** Folders that the units hide: `ProtectHome` and `PrivateTmp`. */
const HIDDEN = ['/home', '/root', '/run/user', '/tmp', '/var/tmp'];

/**
 * Refuses a path that the service could not see.
 * @param what how messages call it
 * @throws BedsideError E_USAGE
 */
export function assertVisible(path: string, what: string): void {
  const hidden = HIDDEN.find((folder) => path === folder || path.startsWith(`${folder}/`));
  if (hidden === undefined) return;
  throw new BedsideError('E_USAGE', `${what} is ${path}, and the service does not see ${hidden}`, {
    hint: 'programs belong below /usr or /opt, bundles below /srv or /var/lib, keys below /etc',
  });
}

/** Everything that the units forbid, with the reasons that are not plain. */
const HARDENING = `\
# Nothing of the system can be written but the folders of its own state; other users' files are not there.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateMounts=yes
UMask=0077
# No way to more rights.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
RestrictSUIDSGID=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RemoveIPC=yes
KeyringMode=private
# Nothing of the kernel, of the clock and of other processes.
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
# Only system calls of an ordinary service, of this processor's kind.
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM
# The network, and sockets between the processes of this machine; nothing else.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
# MemoryDenyWriteExecute= is left out: V8 compiles code while it runs, and would not start.
# ProcSubset=pid is left out: Node and ONNX Runtime read /proc/cpuinfo and /proc/meminfo.`;

/** The text of a unit. */
export function unitText(settings: UnitSettings): string {
  const { command, words, credentials, user, memory, state, description, nodeOptions } = settings;
  const owner = user === undefined ? ['DynamicUser=yes'] : [`User=${user}`];
  return [
    '# Written by `bedside service install`; changes belong in a drop-in (`systemctl edit`).',
    '[Unit]',
    `Description=${description}`,
    'Wants=network-online.target',
    'After=network-online.target',
    // Five failures in ten minutes are no accident any more.
    'StartLimitIntervalSec=600',
    'StartLimitBurst=5',
    '',
    '[Service]',
    'Type=exec',
    `ExecStart=${[...command.map(quoted), ...words.map(quotedWord)].join(' ')}`,
    'Environment=NODE_ENV=production ORT_DISABLE_TELEMETRY=1',
    ...(nodeOptions === undefined ? [] : [`Environment=NODE_OPTIONS=${nodeOptions}`]),
    ...owner,
    ...(state.length > 0 ? [`StateDirectory=${state.join(' ')}`, 'StateDirectoryMode=0700'] : []),
    ...Object.entries(credentials).map(([name, path]) => `LoadCredential=${name}:${escaped(path)}`),
    '# SIGTERM lets requests end; then it exits with 0.',
    'Restart=on-failure',
    'RestartSec=2',
    'TimeoutStopSec=60',
    '# A leak or a flood ends this service, not the machine.',
    `MemoryMax=${memory}`,
    'TasksMax=512',
    'LimitNOFILE=65536',
    HARDENING,
    '',
    '[Install]',
    'WantedBy=multi-user.target',
    '',
  ].join('\n');
}

/** A word of a command line that means itself. */
function quoted(word: string): string {
  const text = escaped(word).replaceAll('$', '$$$$');
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** As `quoted`, but `%d/…` and `%S/…` at its start stay. */
function quotedWord(word: string): string {
  const folder = /^%[dS](?=\/)/.exec(word)?.[0] ?? '';
  return folder + quoted(word.slice(folder.length));
}

function escaped(text: string): string {
  return text.replaceAll('%', '%%');
}
