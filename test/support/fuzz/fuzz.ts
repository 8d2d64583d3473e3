// Damaged inputs of every kind, by seed: each must be taken, or refused with a code of its own, soon, and leave nothing behind.
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHere } from '../../../src/cli/test-support/in-process.ts';
import { BedsideError, ERROR_CODES } from '../../../src/util/index.ts';
import { Random } from '../../../src/util/internal.ts';
import { pick } from './damage.ts';
import { type Act, KINDS, type Kind } from './kinds.ts';
import { type Seeds, writeSeeds } from './seeds.ts';

/** Words of the engine, of JavaScript and of libraries that tell users nothing. */
const RAW =
  /ONNXRuntimeError|Non-zero status|TypeError|RangeError|Cannot (read|convert|mix|set|destructure)|is not (a function|iterable|defined)|undefined|\[object|Maximum call stack|Invalid (array|typed array|string) length|^\s+at |node_modules|onnxruntime|vips|E_INTERNAL/m;

/** What runs sources as they are keeps its cache in the temporary folder. */
const TOOLS = /^temporary\/(tsx-|node-)/;

/** How a case ended. */
export interface Ended {
  readonly seed: number;
  readonly kind: string;
  readonly words: readonly string[];
  /** `taken`; `told`: taken, but what could not be read, which was counted; or the code with which it was refused. */
  readonly how: string;
  readonly seconds: number;
  /** Seconds of a processor that this process used meanwhile: on a busy machine a case waits for its turn. */
  readonly processor: number;
  /** What is wrong with that; absent where nothing is. */
  readonly fault?: string;
}

export interface FuzzOptions {
  /** Cases are those of the seeds `first` to `first + cases - 1`. */
  readonly first: number;
  readonly cases: number;
  /** Seconds that one may take. */
  readonly limit: number;
  /** What to damage; default everything but files of devices and archives (`MEDICAL_KINDS`). */
  readonly among?: readonly Kind[] | undefined;
  /** Names of kinds; default: all. */
  readonly kinds?: readonly string[] | undefined;
  /** A folder that gets the input of each case with a fault, in a folder of its seed. */
  readonly keep?: string | undefined;
  readonly onCase?: (ended: Ended, done: number) => void;
}

/** Runs the cases, one after another in this process, with a temporary folder of their own. */
export async function fuzz({
  first,
  cases,
  limit,
  among = KINDS,
  kinds,
  keep,
  onCase,
}: FuzzOptions): Promise<Ended[]> {
  const root = await mkdtemp(join(tmpdir(), 'fuzz-'));
  const valid = join(root, 'valid');
  const known = among.filter(({ name }) => kinds?.includes(name) ?? true);
  const { TMPDIR } = process.env;
  for (const name of ['valid', 'temporary']) await mkdir(join(root, name));
  try {
    process.env.TMPDIR = join(root, 'temporary');
    const seeds = await writeSeeds(valid);
    for (const { open } of known) await open?.(valid);
    const before = await readdir(root, { recursive: true });
    const ends: Ended[] = [];
    for (let seed = first; seed < first + cases; seed++) {
      let ended = await runCase(seed, { root, valid, seeds, limit, known, keep });
      const stray = (await readdir(root, { recursive: true })).filter(
        (name) => !before.includes(name) && !TOOLS.test(name),
      );
      if (stray.length > 0) ended = { ...ended, fault: `left behind: ${stray.join(', ')}` };
      ends.push(ended);
      onCase?.(ended, ends.length);
    }
    return ends;
  } finally {
    for (const { close } of known) await close?.();
    if (TMPDIR === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = TMPDIR;
    await rm(root, { recursive: true, force: true });
  }
}

interface Room {
  readonly root: string;
  readonly valid: string;
  readonly seeds: Seeds;
  readonly limit: number;
  readonly known: readonly Kind[];
  readonly keep: string | undefined;
}

async function runCase(seed: number, { root, valid, seeds, limit, known, keep }: Room): Promise<Ended> {
  const random = new Random(seed);
  const kind = kindOf(random, known);
  const own = join(root, 'case');
  await mkdir(own);
  const start = performance.now();
  const used = process.cpuUsage();
  try {
    const act = await kind.make({ seeds, valid, own, random });
    const { how, fault } = await judged(act, own);
    const seconds = (performance.now() - start) / 1000;
    const { user, system } = process.cpuUsage(used);
    const processor = (user + system) / 1e6;
    const late = seconds > limit ? `took ${seconds.toFixed(1)} s` : undefined;
    const found = fault ?? late;
    if (found !== undefined && keep !== undefined)
      await cp(own, join(keep, kind.name, String(seed)), { recursive: true });
    const words = 'words' in act ? act.words.map((word) => word.replace(`${root}/`, '')) : ['(library)'];
    return {
      seed,
      kind: kind.name,
      words,
      how,
      seconds,
      processor,
      ...(found === undefined ? {} : { fault: found }),
    };
  } finally {
    await rm(own, { recursive: true, force: true });
  }
}

function kindOf(random: Random, known: readonly Kind[]): Kind {
  const all = known.flatMap((kind) => new Array<Kind>(kind.share).fill(kind));
  return pick(random, all);
}

async function judged(act: Act, own: string): Promise<{ how: string; fault?: string }> {
  try {
    if ('call' in act) {
      return { how: (await act.call()) === 'told' ? 'told' : 'taken' };
    }
    const { status, stdout } = await runHere([...act.words, '--json', '--quiet']);
    const temporary = (await readdir(own, { recursive: true })).filter((name) => name.endsWith('.tmp'));
    if (temporary.length > 0) return { how: 'taken', fault: `left behind: ${temporary.join(', ')}` };
    const told = JSON.parse(stdout) as { error?: { code: string; message: string; hint?: string } };
    if (!told.error) return status === 0 ? { how: 'taken' } : { how: 'taken', fault: `status ${status}` };
    return refusal(told.error, status);
  } catch (error) {
    if (BedsideError.is(error)) return refusal(error, 1);
    return { how: 'thrown', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

function refusal(
  { code, message, hint }: { code: string; message: string; hint?: string | undefined },
  status: number,
): { how: string; fault?: string } {
  const text = `${message}\n${hint ?? ''}`;
  const known = (ERROR_CODES as readonly string[]).includes(code);
  const fault =
    (code === 'E_INTERNAL' && text) ||
    (!known && `unknown code ${code}`) ||
    (status === 0 && `status 0 with ${code}`) ||
    (hint === undefined && `no hint: ${code}: ${message}`) ||
    (RAW.test(text) && `raw words: ${code}: ${text}`);
  return fault ? { how: code, fault } : { how: code };
}
