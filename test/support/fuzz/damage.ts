// Ways to damage bytes and JSON, seeded.
import type { Random } from '../../../src/util/internal.ts';

/** One of a list. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)] as T;
}

/** Bytes with bits turned, bytes set, a stretch lost, doubled or put in, or the end gone. */
export function damagedBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.integer(Math.max(1, bytes.length));
  const length = 1 + random.integer(16);
  switch (random.integer(6)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 3: {
      const noise = Uint8Array.from({ length }, () => random.integer(256));
      return Buffer.concat([bytes.subarray(0, at), noise, bytes.subarray(at)]);
    }
    default: {
      const copy = bytes.slice();
      for (let flips = 1 + random.integer(3); flips > 0 && copy.length > 0; flips--) {
        const where = random.integer(copy.length);
        const turned = (copy[where] ?? 0) ^ (1 << random.integer(8));
        copy[where] = random.integer(2) === 0 ? pick(random, [0, 1, 127, 128, 255]) : turned;
      }
      return copy;
    }
  }
}

/** Numbers at the edges of what programs expect. */
const NUMBERS = [0, -1, 1, 2, 0.5, 1e-300, 1e300, 2 ** 31, 2 ** 53, -0, 255, 65_536];

/** Values of every kind, and names that JavaScript knows. */
const VALUES: readonly unknown[] = [
  ...NUMBERS,
  null,
  true,
  '',
  'x',
  '__proto__',
  'constructor',
  'a\u001b[31m\n',
  [],
  {},
  [[]],
  [0],
  { toString: 1 },
];

/** JSON text of the value with one to three places changed, gone, doubled or of another kind; now and then bytes damaged. */
export function damagedJson(value: unknown, random: Random): Uint8Array {
  const copy = structuredClone(value);
  for (let changes = pick(random, [1, 1, 2]); changes > 0; changes--) changeOne(copy, random);
  const bytes = new TextEncoder().encode(JSON.stringify(copy));
  return random.integer(8) === 0 ? damagedBytes(bytes, random) : bytes;
}

/** Changes something within an object or an array, in place. */
export function changeOne(root: unknown, random: Random): void {
  let at = root;
  for (let depth = random.integer(7); ; depth--) {
    if (at === null || typeof at !== 'object') return;
    const keys = Object.keys(at);
    const own = at as Record<string, unknown>;
    if (keys.length === 0) {
      own.added = pick(random, VALUES);
      return;
    }
    const key = pick(random, keys);
    const value = own[key];
    if (depth > 0 && value !== null && typeof value === 'object') at = value;
    else {
      alter(own, key, random);
      return;
    }
  }
}

function alter(own: Record<string, unknown>, key: string, random: Random): void {
  const value = own[key];
  const how = random.integer(8);
  if (how === 0) Array.isArray(own) ? own.splice(Number(key), 1) : delete own[key];
  else if (how === 1 && Array.isArray(own)) own.push(structuredClone(value));
  else if (how === 2) own[pick(random, Object.keys(own))] = structuredClone(value);
  else if (how === 3 && Array.isArray(value)) value.length = random.integer(value.length + 1);
  else if (typeof value === 'number' && how < 7)
    own[key] = pick(random, [...NUMBERS, value + 1, -value, value * 1e6]);
  else if (typeof value === 'string' && how < 6)
    own[key] = pick(random, ['', 'x', `${value}x`, '__proto__', '../x']);
  else own[key] = pick(random, VALUES);
}
