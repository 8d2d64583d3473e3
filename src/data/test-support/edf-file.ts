// Makes small files of EDF, EDF+, BDF and BDF+.

/** One signal. */
export interface MadeSignal {
  readonly label: string;
  readonly unit: string;
  /** Samples of a data record. */
  readonly perRecord: number;
  /** Of all data records one after another, in physical units. */
  readonly samples: ArrayLike<number>;
  readonly physical?: readonly [low: number, high: number];
  readonly digital?: readonly [low: number, high: number];
}

/** An annotation by the clock of the file. */
export interface MadeAnnotation {
  readonly time: number;
  readonly seconds?: number;
  readonly text: string;
}

/** What a file holds. */
export interface MadeEdf {
  readonly signals: readonly MadeSignal[];
  readonly bits?: 16 | 24;
  readonly recordSeconds?: number;
  /** Absent: a file without annotations that is not EDF+. */
  readonly annotations?: readonly MadeAnnotation[];
  /** Times of the data records: makes a file with gaps. */
  readonly onsets?: readonly number[];
  /** Seconds of the first data record, of a file without gaps. */
  readonly firstOnset?: number;
  readonly patient?: string;
  readonly recording?: string;
  /** What the header says of the number of data records. */
  readonly saidRecords?: number;
  /** Bytes of the annotation signal in each data record; 120 unless said. */
  readonly noteBytes?: number;
}

/** The bytes of a file. */
export function edfFile({ bits = 16, recordSeconds = 1, ...made }: MadeEdf): Uint8Array {
  const { signals, annotations, onsets, patient = 'X X X X', firstOnset = 0, noteBytes = 120 } = made;
  const size = bits / 8;
  const isPlus = annotations !== undefined || onsets !== undefined;
  const first = signals[0];
  const records = first ? first.samples.length / first.perRecord : (onsets?.length ?? 1);
  const all: readonly MadeSignal[] = isPlus
    ? [
        ...signals,
        {
          label: `${bits === 16 ? 'EDF' : 'BDF'} Annotations`,
          unit: '',
          perRecord: noteBytes / size,
          samples: [],
        },
      ]
    : signals;
  const full = 2 ** (bits - 1);
  const limits = (signal: MadeSignal) => ({
    digital: signal.digital ?? ([-full, full - 1] as const),
    physical: signal.physical ?? ([-1, 1] as const),
  });
  const column = (width: number, cell: (signal: MadeSignal) => string | number): string =>
    all.map((signal) => String(cell(signal)).padEnd(width).slice(0, width)).join('');
  const field = (value: string | number, width: number): string =>
    String(value).padEnd(width).slice(0, width);
  const kind = isPlus ? `${bits === 16 ? 'EDF' : 'BDF'}+${onsets ? 'D' : 'C'}` : bits === 24 ? '24BIT' : '';
  const header = [
    bits === 24 ? '\xffBIOSEMI' : field('0', 8),
    field(patient, 80),
    field(made.recording ?? 'Startdate 31-JAN-2026 X X X', 80),
    '31.01.2612.00.00',
    field(256 * (all.length + 1), 8),
    field(kind, 44),
    field(made.saidRecords ?? records, 8),
    field(recordSeconds, 8),
    field(all.length, 4),
    column(16, ({ label }) => label),
    column(80, () => ''),
    column(8, ({ unit }) => unit),
    column(8, (signal) => limits(signal).physical[0]),
    column(8, (signal) => limits(signal).physical[1]),
    column(8, (signal) => limits(signal).digital[0]),
    column(8, (signal) => limits(signal).digital[1]),
    column(80, () => ''),
    column(8, ({ perRecord }) => perRecord),
    column(32, () => ''),
  ].join('');
  const parts: Uint8Array[] = [Buffer.from(header, 'latin1')];
  for (let record = 0; record < records; record++) {
    for (const signal of signals) parts.push(samplesOf(signal, limits(signal), record, size));
    if (!isPlus) continue;
    const time = onsets?.[record] ?? firstOnset + record * recordSeconds;
    const next = onsets?.[record + 1] ?? time + recordSeconds;
    const isOwn = (one: MadeAnnotation): boolean =>
      (one.time >= time || record === 0) && (one.time < next || record === records - 1);
    parts.push(notesOf(time, (annotations ?? []).filter(isOwn), noteBytes));
  }
  return Buffer.concat(parts);
}

function samplesOf(
  { perRecord, samples }: MadeSignal,
  {
    digital,
    physical,
  }: { readonly digital: readonly [number, number]; readonly physical: readonly [number, number] },
  record: number,
  size: number,
): Uint8Array {
  const bytes = Buffer.alloc(perRecord * size);
  for (let i = 0; i < perRecord; i++) {
    const share = ((samples[record * perRecord + i] ?? 0) - physical[0]) / (physical[1] - physical[0]);
    const value = Math.round(digital[0] + share * (digital[1] - digital[0]));
    bytes.writeIntLE(Math.min(Math.max(value, digital[0]), digital[1]), i * size, size);
  }
  return bytes;
}

function notesOf(time: number, annotations: readonly MadeAnnotation[], room: number): Uint8Array {
  const signed = (value: number): string => `${value < 0 ? '' : '+'}${value}`;
  const lists = annotations.map(
    ({ time: at, seconds, text }) =>
      `${signed(at)}${seconds === undefined ? '' : `\x15${seconds}`}\x14${text}\x14\0`,
  );
  const bytes = Buffer.from([`${signed(time)}\x14\x14\0`, ...lists].join(''), 'utf8');
  if (bytes.length > room) throw new Error(`a data record has too many annotations: ${bytes.length} bytes`);
  return Buffer.concat([bytes, Buffer.alloc(room - bytes.length)]);
}
