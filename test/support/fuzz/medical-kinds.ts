// Damaged files of EDF, DICOM and NIfTI, read as data: flipped, cut, with lengths that lie, and bombs; and live signals.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { openDataset } from '../../../src/data/index.ts';
import type { Random } from '../../../src/util/internal.ts';
import { damagedBytes, pick } from './damage.ts';
import { keptCorpus } from './kept-corpus.ts';
import type { Act, Kind, Place } from './kinds.ts';
import type { Corpus } from './medical-corpus.ts';
import { PACKETS } from './packet-kind.ts';

/** Numbers that lengths lie with. */
const LIES = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x10000, 0xfffe];
const TEXTS = ['99999999', '-1', '0', '1e9', '', '        ', '99999', '1\\1\\1', 'nan'];

/** Bytes with one to three numbers or texts of the header in another's place. */
function lying(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Buffer.from(bytes);
  for (let lies = 1 + random.integer(3); lies > 0; lies--) {
    const at = random.integer(Math.max(1, Math.min(copy.length - 8, 2048)));
    const value = pick(random, LIES);
    if (at + 8 > copy.length) continue;
    switch (random.integer(4)) {
      case 0:
        copy.writeUInt16LE(value & 0xffff, at);
        break;
      case 1:
        copy.writeUInt32LE(value, at);
        break;
      case 2:
        copy.writeUInt16BE(value & 0xffff, at);
        break;
      default:
        copy.write(pick(random, TEXTS).padEnd(8), at - (at % 8), 'latin1');
    }
  }
  return copy;
}

/** The same bytes, packed again where they were, so that what is inside is damaged. */
function damaged(name: string, bytes: Uint8Array, random: Random): Uint8Array {
  if (name.endsWith('.gz') && random.integer(2) === 0) {
    const inside = damaged('', gunzipSync(bytes), random);
    // Now and then far more than the header says.
    return gzipSync(random.integer(4) === 0 ? Buffer.concat([inside, Buffer.alloc(2 ** 23)]) : inside);
  }
  return random.integer(2) === 0 ? lying(bytes, random) : damagedBytes(bytes, random);
}

function kindOf(name: string, shapes: readonly (readonly number[])[]): Kind {
  let files: Corpus | undefined;
  const make = async ({ own, random }: Place): Promise<Act> => {
    files ??= keptCorpus(name);
    const file = pick(random, Object.keys(files));
    await writeFile(join(own, file), damaged(file, Uint8Array.from(files[file] ?? []), random));
    const path = random.integer(2) === 0 ? own : join(own, file);
    const sampleShape = pick(random, shapes);
    const skipBad = random.integer(4) === 0;
    return {
      call: () => openDataset(path, { sampleShape, classes: 5, split: 'all', seed: 1, limit: 50, skipBad }),
    };
  };
  return { name, share: 1, make };
}

/** What hospitals' devices and archives give. */
export const MEDICAL_KINDS: readonly Kind[] = [
  kindOf('edf', [
    [1, 256],
    [1, 100],
  ]),
  kindOf('dicom', [
    [1, 10, 12],
    [3, 8, 8],
    [1, 200],
  ]),
  kindOf('nifti', [
    [1, 5, 6],
    [1, 8, 8],
  ]),
  PACKETS,
];
