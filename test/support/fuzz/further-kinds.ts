// Further kinds of damaged inputs: networks that are compared or packed, bundles that run on workers, messages between nodes.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compactHead, hear, wireBytes, wireMessages } from '../../../src/run/test-support/wire-messages.ts';
import { damagedBytes, damagedJson, pick } from './damage.ts';
import type { Act, Place } from './kinds.ts';
import { damagedModel } from './mutate-model.ts';

const SMALL = ['--per-class', '2', '--threads', '1', '--criterion', 'l1', '--block', '1'];

async function damagedNetwork({ seeds, own, random }: Place): Promise<string> {
  const path = join(own, 'model.onnx');
  await writeFile(path, damagedModel(pick(random, seeds.models), random));
  return path;
}

/** `compare` on a damaged network. */
export async function comparison(place: Place): Promise<Act> {
  const { valid, random } = place;
  const more = pick(random, [[], ['--repair'], ['--seeds', '2']]);
  const given = ['--data', join(valid, 'data.npz'), '--criteria', 'l1,random', '--ratios', '.5', ...more];
  return { words: ['compare', await damagedNetwork(place), ...given, '--per-class', '2', '--threads', '1'] };
}

/** `pack` on a damaged network. */
export async function packing(place: Place): Promise<Act> {
  const { valid, own } = place;
  const levels = [
    '--ratios',
    '.5',
    '--variants',
    '2',
    '--max-positions',
    '40',
    '--validation-per-class',
    '2',
  ];
  const quick = ['--no-measure', '--no-low-rank', '--out', join(own, 'packed')];
  const data = ['--data', join(valid, 'data.npz')];
  return { words: ['pack', await damagedNetwork(place), ...data, ...SMALL, ...levels, ...quick] };
}

/** What a worker hears, damaged on its way or by its sender. */
export async function wire({ valid, random }: Place): Promise<Act> {
  const folder = join(valid, 'bundle');
  const { message, plan, numbers } = pick(random, await wireMessages(folder));
  const how = pick(random, ['frame', 'chunks'] as const);
  // Two of three are whole messages of somebody who says what nobody should.
  const bySender = random.integer(3) > 0;
  const text = (value: object): string =>
    bySender ? new TextDecoder().decode(damagedJson(value, random)) : JSON.stringify(value);
  const lines = [
    text(message),
    ...(plan ? [random.integer(2) === 0 ? JSON.stringify(plan) : text(plan)] : []),
  ];
  // What nodes write themselves is damaged on its way alone.
  const compact = bySender ? undefined : compactHead({ message, plan, numbers });
  const pieces = wireBytes(how, compact ?? Buffer.from(lines.join('\n')), numbers);
  if (!bySender) {
    const at = random.integer(pieces.length);
    pieces[at] = damagedBytes(pieces[at] ?? new Uint8Array(0), random);
  }
  return { call: () => hear(folder, how, pieces) };
}
