// Makes DICOM files: explicit little endian, values as they are given.

/** An element: its tag as `GGGGEEEE`, its type, and a text, numbers, bytes, or the items of a sequence. */
export type MadeElement = readonly [
  tag: string,
  vr: string,
  value: string | readonly number[] | Uint8Array | readonly (readonly MadeElement[])[],
];

const EXPLICIT = '1.2.840.10008.1.2.1';
const LONG = ['OB', 'OW', 'OF', 'SQ', 'UT', 'UN', 'UC', 'UR'];
const NUMBERS: Readonly<Record<string, readonly [bytes: number, write: string]>> = {
  US: [2, 'writeUInt16LE'],
  SS: [2, 'writeInt16LE'],
  UL: [4, 'writeUInt32LE'],
  SL: [4, 'writeInt32LE'],
  FL: [4, 'writeFloatLE'],
  FD: [8, 'writeDoubleLE'],
};

/** Bytes of a file with preamble, mark and a header of its own. */
export function dicomFile(elements: readonly MadeElement[], syntax = EXPLICIT): Uint8Array {
  const classOf = elements.find(([tag]) => tag === '00080016')?.[2];
  const meta = encode([
    ['00020001', 'OB', Uint8Array.of(0, 1)],
    ['00020002', 'UI', typeof classOf === 'string' ? classOf : '1.2.840.10008.5.1.4.1.1.7'],
    ['00020003', 'UI', '1.2.826.0.1.3680043.8.498.1'],
    ['00020010', 'UI', syntax],
    ['00020012', 'UI', '1.2.826.0.1.3680043.8.498.2'],
  ]);
  const length = encode([['00020000', 'UL', [meta.length]]]);
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), length, meta, encode(sorted(elements))]);
}

/** Elements alone. */
export function encode(elements: readonly MadeElement[]): Uint8Array {
  return Buffer.concat(elements.map(elementOf));
}

function sorted(elements: readonly MadeElement[]): readonly MadeElement[] {
  return [...elements].sort(([a], [b]) => (a < b ? -1 : 1));
}

function elementOf([tag, vr, value]: MadeElement): Uint8Array {
  const head = Buffer.alloc(LONG.includes(vr) ? 12 : 8);
  head.writeUInt16LE(Number.parseInt(tag.slice(0, 4), 16), 0);
  head.writeUInt16LE(Number.parseInt(tag.slice(4), 16), 2);
  head.write(vr, 4, 'latin1');
  const isFragments = tag === '7FE00010' && Array.isArray(value) && value[0] instanceof Uint8Array;
  const bytes = isFragments ? fragments(value as unknown as Uint8Array[]) : bytesOf(vr, value);
  const length = isFragments ? 0xffffffff : bytes.length;
  if (LONG.includes(vr)) head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return Buffer.concat([head, bytes]);
}

function bytesOf(vr: string, value: MadeElement[2]): Uint8Array {
  if (value instanceof Uint8Array)
    return value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.alloc(1)]);
  if (typeof value === 'string') {
    const text = Buffer.from(value, 'latin1');
    return text.length % 2 === 0 ? text : Buffer.concat([text, Buffer.from(vr === 'UI' ? '\0' : ' ')]);
  }
  if (vr === 'SQ') {
    return Buffer.concat(
      (value as readonly (readonly MadeElement[])[]).map((item) => itemOf(encode(sorted(item)))),
    );
  }
  const [size, write] = NUMBERS[vr] ?? [2, 'writeUInt16LE'];
  const numbers = value as readonly number[];
  const bytes = Buffer.alloc(size * numbers.length);
  for (const [i, number] of numbers.entries())
    (bytes as unknown as Record<string, (n: number, at: number) => void>)[write]?.(number, i * size);
  return bytes;
}

function itemOf(content: Uint8Array, tag = 0xe000): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeUInt16LE(0xfffe, 0);
  head.writeUInt16LE(tag, 2);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** An encapsulated value of one fragment a frame, with an empty table of offsets. */
function fragments(frames: readonly Uint8Array[]): Uint8Array {
  const even = frames.map((own) => (own.length % 2 === 0 ? own : Buffer.concat([own, Buffer.alloc(1)])));
  return Buffer.concat([
    itemOf(new Uint8Array(0)),
    ...even.map((own) => itemOf(own)),
    itemOf(new Uint8Array(0), 0xe0dd),
  ]);
}

/** The pixels of frames that are encapsulated, as the value of an element. */
export function encapsulated(frames: readonly Uint8Array[]): MadeElement {
  return ['7FE00010', 'OB', frames as unknown as readonly number[]];
}

/** An image that is made of numbers. */
export interface MadeImage {
  readonly rows: number;
  readonly columns: number;
  readonly samples?: 1 | 3;
  readonly bitsAllocated?: 8 | 16;
  readonly bitsStored?: number;
  readonly signed?: boolean;
  readonly photometric?: string;
  readonly frames?: number;
  /** Numbers one after the other, or an element of encapsulated frames. */
  readonly pixels: ArrayLike<number> | MadeElement;
  readonly more?: readonly MadeElement[];
}

/** Marks that stand for what identifies a patient: none may ever leave the reader. */
export const MARKS = ['MARKNAME^TEST', '19030201', 'MARKMRN77', 'MARKACC88', 'MARKDESC99'] as const;

/** Elements of an image, with `MARKS` in those that identify. */
export function imageElements(made: MadeImage): MadeElement[] {
  const { rows, columns, samples = 1, bitsAllocated = 16, bitsStored = bitsAllocated, pixels } = made;
  const [name, birth, id, accession, text] = MARKS;
  const own: MadeElement[] = [
    ['00080016', 'UI', '1.2.840.10008.5.1.4.1.1.7'],
    ['00080018', 'UI', '1.2.826.0.1.3680043.8.498.1'],
    ['00080050', 'SH', accession],
    ['00080060', 'CS', 'OT'],
    ['00081030', 'LO', text],
    ['0008103E', 'LO', text],
    ['00100010', 'PN', name],
    ['00100020', 'LO', id],
    ['00100030', 'DA', birth],
    ['00104000', 'LT', text],
    ['0020000D', 'UI', '1.2.826.0.1.3680043.8.498.3'],
    ['0020000E', 'UI', '1.2.826.0.1.3680043.8.498.4'],
    ['00280002', 'US', [samples]],
    ['00280004', 'CS', made.photometric ?? (samples === 3 ? 'RGB' : 'MONOCHROME2')],
    ...(samples === 3 ? [['00280006', 'US', [0]] as MadeElement] : []),
    ['00280008', 'IS', String(made.frames ?? 1)],
    ['00280010', 'US', [rows]],
    ['00280011', 'US', [columns]],
    ['00280100', 'US', [bitsAllocated]],
    ['00280101', 'US', [bitsStored]],
    ['00280102', 'US', [bitsStored - 1]],
    ['00280103', 'US', [made.signed ? 1 : 0]],
  ];
  const values = (): MadeElement => {
    const numbers = pixels as ArrayLike<number>;
    const bytes =
      bitsAllocated === 8
        ? Uint8Array.from(numbers)
        : new Uint8Array((made.signed ? Int16Array : Uint16Array).from(numbers).buffer);
    return ['7FE00010', bitsAllocated === 8 ? 'OB' : 'OW', bytes];
  };
  const isElement = Array.isArray(pixels) && pixels[0] === '7FE00010';
  const more = made.more ?? [];
  const replaced = new Set(more.map(([tag]) => tag));
  return [
    ...own.filter(([tag]) => !replaced.has(tag)),
    ...more,
    isElement ? (pixels as unknown as MadeElement) : values(),
  ];
}
