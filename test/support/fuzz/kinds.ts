// What is damaged and who reads it: each case writes one damaged input and hands it to the command that users would.
import { createHash } from 'node:crypto';
import { copyFile, cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findAccess } from '../../../src/app/internal.ts';
import { sealed } from '../../../src/bundle/internal.ts';
import type { Random } from '../../../src/util/internal.ts';
import { changeOne, damagedBytes, damagedJson, pick } from './damage.ts';
import { comparison, packing, wire } from './further-kinds.ts';
import { damagedModel } from './mutate-model.ts';
import { bundleFiles, type Seeds } from './seeds.ts';

/** A place with valid inputs, and a folder of this case alone. */
export interface Place {
  readonly seeds: Seeds;
  /** Holds what `writeSeeds` wrote. */
  readonly valid: string;
  /** Empty; removed afterwards. */
  readonly own: string;
  readonly random: Random;
}

/** What to do with the damaged input: words for the command line, or a call of the library, which may resolve to `told`. */
export type Act = { readonly words: readonly string[] } | { readonly call: () => Promise<unknown> };

export interface Kind {
  readonly name: string;
  /** How many of a hundred cases. */
  readonly share: number;
  /** Writes the damaged input into `own`. */
  make(place: Place): Promise<Act>;
  /** Starts what all cases of a run share. @param valid a folder for it */
  open?(valid: string): Promise<void>;
  close?(): Promise<void>;
}

const CRITERIA = [
  'l1',
  'lrp-epsilon',
  'lrp-gamma',
  'lrp-zplus',
  'gradient',
  'activation',
  'taylor',
  'obs',
  'hrank',
];

const SMALL = ['--per-class', '2', '--batch', '4', '--threads', '1'];

async function model({ seeds, valid, own, random }: Place): Promise<Act> {
  const path = join(own, 'model.onnx');
  await writeFile(path, damagedModel(pick(random, seeds.models), random));
  const data = ['--data', join(valid, 'data.npz')];
  const scored = [...data, ...SMALL, '--criterion', pick(random, CRITERIA)];
  switch (random.integer(8)) {
    case 0:
    case 1:
      return { words: ['inspect', path] };
    case 2:
    case 3:
      return { words: ['evaluate', path, ...data] };
    case 4:
    case 5:
      return { words: ['explain', path, ...scored, '--out', join(own, 'scores.json')] };
    default:
      return {
        words: ['prune', path, ...scored, '--ratio', '.5', '--block', '1', '--out', join(own, 'small.onnx')],
      };
  }
}

/** Inputs of one file for a model. */
const DATA: readonly { readonly model: string; readonly files: readonly string[] }[] = [
  { model: 'model.onnx', files: ['data.npz'] },
  { model: 'image.onnx', files: ['images/c0/0.png', 'images/c1/1.jpg'] },
  { model: 'beats.onnx', files: ['wfdb/r.hea', 'wfdb/r.atr', 'wfdb/r.dat'] },
];

async function data({ valid, own, random }: Place): Promise<Act> {
  const { model: name, files } = pick(random, DATA);
  const file = pick(random, files);
  const [folder = ''] = file.split('/');
  await cp(join(valid, folder), join(own, folder), { recursive: true });
  const path = join(own, file);
  const bytes = await readFile(path);
  await writeFile(path, file.endsWith('.hea') ? damagedText(bytes, random) : damagedBytes(bytes, random));
  const skip = random.integer(2) === 0 ? ['--skip-bad'] : [];
  return { words: ['evaluate', join(valid, name), '--data', join(own, folder), ...skip] };
}

/** A header of fields: some gone, others in their place. */
function damagedText(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.integer(3) === 0) return damagedBytes(bytes, random);
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.split(' '));
  const line = pick(random, lines);
  const word = pick(random, [
    '',
    '0',
    '-1',
    '1e400',
    'nan',
    '212',
    '16',
    '99999999999',
    '../x',
    '#',
    'MLII',
    '200/mV',
  ]);
  line[random.integer(line.length + 1)] = word;
  return new TextEncoder().encode(lines.map((words) => words.join(' ')).join('\n'));
}

/** Writes a bundle whose hashes are right and whose content is not, or whose bytes have changed; its folder. */
async function damagedBundle({ valid, own, random }: Place): Promise<string> {
  const dir = join(own, 'bundle');
  await cp(join(valid, 'bundle'), dir, { recursive: true });
  const { manifest, ...files } = await bundleFiles(valid);
  const parts = manifest as Record<'model' | 'weights', { file: string; sha256: string; bytes: number }>;
  switch (random.integer(4)) {
    case 0: {
      const file = pick(random, await readdir(dir));
      await writeFile(join(dir, file), damagedBytes(await readFile(join(dir, file)), random));
      break;
    }
    case 1: {
      const part = pick(random, ['model', 'weights'] as const);
      const change = part === 'model' ? damagedModel : damagedTensors;
      const bytes = change(files[part], random);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      Object.assign(parts[part], { sha256, bytes: bytes.length });
      await writeFile(join(dir, parts[part].file), bytes);
      await writeFile(join(dir, 'bundle.json'), sealed(parts));
      break;
    }
    default:
      for (let changes = 1 + random.integer(2); changes > 0; changes--) changeOne(parts, random);
      await writeFile(join(dir, 'bundle.json'), sealed(parts));
  }
  return dir;
}

async function bundle(place: Place): Promise<Act> {
  const { valid, own, random } = place;
  const dir = await damagedBundle(place);
  const fleet = ['--fleet', join(valid, 'fleet.json'), '--time-limit', '1'];
  const levels = ['--ratio', '.5', '--data', join(valid, 'data.npz')];
  const out = ['--ratio', '.5', '--out', join(own, 'small.onnx')];
  return {
    words: pick(random, [
      ['inspect', dir],
      ['evaluate', dir, ...levels],
      ['prune', dir, ...out],
      ['plan', dir, ...fleet, '--solver', 'greedy'],
    ]),
  };
}

/** A damaged bundle on a worker of its own. */
async function inference(place: Place): Promise<Act> {
  const dir = await damagedBundle(place);
  const given = ['--data', join(place.valid, 'data.npz'), '--limit', '2', '--workers', '1', '--no-measure'];
  return { words: ['infer', dir, ...given, '--accuracy-floor', pick(place.random, ['0', '.5'])] };
}

/** Mostly the header of a safetensors file. */
function damagedTensors(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.integer(3) === 0) return damagedBytes(bytes, random);
  const length = Number(Buffer.from(bytes).readBigUInt64LE());
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as object;
  const changed = damagedJson(header, random);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(changed.length));
  return Buffer.concat([size, changed, bytes.subarray(8 + length)]);
}

const SOLVERS = ['greedy', 'exact', 'beam', 'heft', 'local', 'policy'];

async function fleet({ seeds, valid, own, random }: Place): Promise<Act> {
  const path = join(own, 'fleet.json');
  await writeFile(path, damagedJson(seeds.fleet, random));
  const solver = pick(random, SOLVERS);
  return { words: ['plan', join(valid, 'bundle'), '--fleet', path, '--solver', solver, '--time-limit', '1'] };
}

async function request({ seeds, valid, own, random }: Place): Promise<Act> {
  const path = join(own, 'request.json');
  await writeFile(path, damagedJson(seeds.request, random));
  const solver = pick(random, SOLVERS);
  const given = ['--fleet', join(valid, 'fleet.json'), '--request', path];
  return { words: ['plan', join(valid, 'bundle'), ...given, '--solver', solver, '--time-limit', '1'] };
}

async function policy({ valid, own, random }: Place): Promise<Act> {
  for (const file of ['policy.onnx', 'policy.json']) await copyFile(join(valid, file), join(own, file));
  const isCard = random.integer(2) === 0;
  const path = join(own, isCard ? 'policy.json' : 'policy.onnx');
  const bytes = await readFile(path);
  const changed = isCard ? damagedJson(JSON.parse(bytes.toString()), random) : damagedModel(bytes, random);
  await writeFile(path, changed);
  const given = [
    '--fleet',
    join(valid, 'fleet.json'),
    '--solver',
    'policy',
    '--policy',
    join(own, 'policy.onnx'),
  ];
  return { words: ['plan', join(valid, 'bundle'), ...given, '--time-limit', '1'] };
}

async function credentials({ seeds, own, random }: Place): Promise<Act> {
  const path = join(own, 'observer.json');
  await writeFile(path, damagedJson(seeds.credentials, random));
  return { call: () => findAccess({ credentials: path }, ['observer']) };
}

async function trace({ valid, own, random }: Place): Promise<Act> {
  const path = join(own, 'trace.jsonl');
  const lines = (await readFile(join(valid, 'trace.jsonl'), 'utf8')).trim().split('\n');
  const at = random.integer(lines.length);
  lines[at] = new TextDecoder().decode(damagedJson(JSON.parse(lines[at] ?? '{}'), random));
  await writeFile(path, lines.join('\n'));
  return { words: ['simulate', join(valid, 'bundle'), '--replay', path, '--solver', 'local'] };
}

/** Everything that is read, and how often it is tried. */
export const KINDS: readonly Kind[] = [
  { name: 'models', share: 33, make: model },
  { name: 'data', share: 16, make: data },
  { name: 'bundles', share: 13, make: bundle },
  { name: 'fleets', share: 7, make: fleet },
  { name: 'requests', share: 6, make: request },
  { name: 'policies', share: 4, make: policy },
  { name: 'credentials', share: 3, make: credentials },
  { name: 'traces', share: 3, make: trace },
  { name: 'comparisons', share: 4, make: comparison },
  { name: 'packings', share: 3, make: packing },
  { name: 'inferences', share: 3, make: inference },
  { name: 'messages', share: 5, make: wire },
];
