// Several hosts on one machine: network namespaces with addresses of their own, on one switch (a bridge in another
// namespace). A namespace lives as long as a process in it, which ends with this process in any case.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { must } from '../../../util/index.ts';

const IS_ROOT = process.getuid?.() === 0;

/** Whether this machine allows network namespaces; prints a note once if it does not. */
export const hasNamespaces = found();

function found(): boolean {
  const links = 'ip link add name s type bridge && ip link add name a type veth peer name b';
  const words = [
    ...(IS_ROOT ? [] : ['--map-root-user']),
    '--net',
    'sh',
    '-c',
    `${links} && command -v nsenter`,
  ];
  const there = process.platform === 'linux' && spawnSync('unshare', words).status === 0;
  if (!there)
    process.stderr.write(
      'no network namespaces here (they need ip, unshare and the right to): tests of several hosts are skipped\n',
    );
  return there;
}

interface Host {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly address: string;
  /** The end of its cable at the switch. */
  readonly port: string;
}

/** Hosts and their switch. `await using` ends all of them. */
export class Hosts implements AsyncDisposable {
  readonly #switch: { readonly process: ChildProcess; readonly pid: number };
  readonly #hosts = new Map<string, Host>();

  private constructor(process: ChildProcess) {
    this.#switch = { process, pid: must(process.pid, 'a process') };
  }

  static async open(names: readonly string[]): Promise<Hosts> {
    const hosts = new Hosts(await hold('unshare', [...(IS_ROOT ? [] : ['--map-root-user']), '--net']));
    try {
      await hosts.#ip(hosts.#switch.pid, ['link add name sw type bridge', 'link set sw up']);
      for (const [at, name] of names.entries()) await hosts.#add(name, at);
    } catch (error) {
      await hosts[Symbol.asyncDispose]();
      throw error;
    }
    return hosts;
  }

  address(name: string): string {
    return this.#host(name).address;
  }

  /** The command prefix that runs a command on a host. The process stays the same, so it can be signalled. */
  enter(name: string): string[] {
    return enter(this.#host(name).pid, ['--net']);
  }

  /** Pulls the cable: packets vanish without an error. */
  async cut(name: string): Promise<void> {
    await this.#ip(this.#switch.pid, [`link set ${this.#host(name).port} down`]);
  }

  async mend(name: string): Promise<void> {
    await this.#ip(this.#switch.pid, [`link set ${this.#host(name).port} up`]);
  }

  /**
   * Limits the bandwidth of a host to so many bits a second.
   * @returns whether the kernel supports it
   */
  async shape(name: string, bitsPerSecond: number): Promise<boolean> {
    const tbf = `tc qdisc replace dev eth0 root tbf rate ${bitsPerSecond}bit burst 16kb latency 500ms`;
    return run([...this.enter(name), ...tbf.split(' ')]).then(
      () => true,
      () => false,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of [...this.#hosts.values(), this.#switch]) {
      const ended = new Promise((resolve) => process.once('exit', resolve));
      if (process.exitCode === null && process.kill('SIGKILL')) await ended;
    }
  }

  async #add(name: string, at: number): Promise<void> {
    const process = await hold(...split([...enter(this.#switch.pid, []), 'unshare', '--net']));
    const pid = must(process.pid, 'a process');
    const [port, address] = [`p${at}`, `10.77.0.${at + 1}`];
    this.#hosts.set(name, { process, pid, address, port });
    await this.#ip(this.#switch.pid, [
      `link add name ${port} type veth peer name eth0 netns ${pid}`,
      `link set ${port} master sw up`,
    ]);
    await this.#ip(pid, [`addr add ${address}/24 dev eth0`, 'link set eth0 up', 'link set lo up']);
  }

  #host(name: string): Host {
    return must(this.#hosts.get(name), `host ${name}`);
  }

  async #ip(pid: number, lines: readonly string[]): Promise<void> {
    await run([...enter(pid, ['--net']), 'ip', '-batch', '-'], `${lines.join('\n')}\n`);
  }
}

/** Enters the namespaces of a process; without root also its user namespace. */
function enter(pid: number, which: readonly string[]): string[] {
  const as = IS_ROOT ? [] : ['--user', '--preserve-credentials'];
  return as.length + which.length === 0 ? [] : ['nsenter', '--target', String(pid), ...as, ...which, '--'];
}

/** A process that only keeps its namespaces alive, until its input is closed. */
async function hold(command: string, words: readonly string[]): Promise<ChildProcess> {
  const child = spawn(command, [...words, 'sh', '-c', 'echo; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve());
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a host ended with ${code}`)));
  });
  return child;
}

function run(words: readonly string[], input = ''): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = execFile(...split(words), (error, _, stderr) =>
      error ? reject(new Error(`${words.join(' ')}: ${stderr}${input}`)) : resolve(),
    );
    if (input !== '') child.stdin?.end(input);
  });
}

function split([command, ...words]: readonly string[]): [string, string[]] {
  return [must(command, 'a command'), words];
}
