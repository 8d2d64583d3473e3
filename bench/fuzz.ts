// Damaged inputs of every kind: how each ends, and whether memory grows.
// Command: npm run bench:fuzz [-- --cases N --first SEED --kinds A,B --medical --keep FOLDER]; faults are told as they are found, with the
// seed that repeats each, and `--keep` keeps what was damaged.
import { parseArgs } from 'node:util';
import { formatBytes } from '../src/util/index.ts';
import { type Ended, fuzz } from '../test/support/fuzz/fuzz.ts';
import { KINDS } from '../test/support/fuzz/kinds.ts';
import { MEDICAL_KINDS } from '../test/support/fuzz/medical-kinds.ts';
import { type ResultTable, writeResults } from './lib/results.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '20000' },
    first: { type: 'string', default: '1000' },
    kinds: { type: 'string' },
    medical: { type: 'boolean', default: false },
    keep: { type: 'string' },
  },
});
const [cases, first] = [Number(values.cases), Number(values.first)];
const kinds = values.kinds?.split(',');
/** Files of devices and archives, or everything else. */
const among = values.medical ? MEDICAL_KINDS : KINDS;

/** Cases after which memory counts: by then code is compiled. */
const SETTLED = 1000;
const LIMIT_SECONDS = 60;

const ANY =
  'Valid inputs of every kind, damaged at random: bytes turned, lost, doubled; models with attributes, shapes, types, names and edges changed; JSON fields gone or of another kind; bundles with right hashes and wrong content; messages between nodes, damaged by their senders or on their way. Each is given to a command in one process, by seed.';
const MEDICAL =
  'The files of bench/fuzz/corpus, damaged at random: bytes turned, lost, doubled; the end gone; lengths and numbers that lie; packed bytes that unpack to far more; packets lost, doubled, in another place, or such as no monitor sends. Files are opened as data sets, signals are streamed (standard input, WebSocket, NATS) through a bundle, in one process, by seed.';

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const memory: { readonly done: number; readonly bytes: number }[] = [];

const ends = await fuzz({
  first,
  cases,
  limit: LIMIT_SECONDS,
  among,
  kinds,
  keep: values.keep,
  onCase: ({ seed, kind, words, fault }, done) => {
    if (fault !== undefined) say(`seed ${seed}, ${kind}: ${words.join(' ')}\n  ${fault}`);
    if (done % 500 !== 0) return;
    memory.push({ done, bytes: process.memoryUsage().rss });
    say(`${done} of ${cases}`);
  },
});

function endsTable(): ResultTable {
  const count = (list: readonly Ended[], how: RegExp): number =>
    list.filter((one) => how.test(one.how)).length;
  return {
    title: 'How they ended',
    columns: [
      ...['what was damaged', 'cases', 'taken'],
      ...(values.medical ? ['taken but for unreadable packets, which were counted'] : []),
      ...['refused with a code', 'faults', 'longest', 'most processor time'],
    ],
    rows: among
      .filter(({ name }) => kinds?.includes(name) ?? true)
      .map(({ name }) => {
        const own = ends.filter(({ kind }) => kind === name);
        return [
          name,
          own.length,
          count(own, /^taken$/),
          ...(values.medical ? [count(own, /^told$/)] : []),
          count(own, /^E_(?!INTERNAL)/),
          own.filter(({ fault }) => fault !== undefined).length,
          `${Math.max(...own.map(({ seconds }) => seconds)).toFixed(1)} s`,
          `${Math.max(...own.map(({ processor }) => processor)).toFixed(1)} s`,
        ];
      }),
    note: `A fault is E_INTERNAL, an error without a code or without a hint, words of the engine or of JavaScript, a case of more than ${LIMIT_SECONDS} s, or a file left behind.`,
  };
}

function codesTable(): ResultTable {
  const counts = new Map<string, number>();
  for (const { how } of ends) counts.set(how, (counts.get(how) ?? 0) + 1);
  return {
    title: 'Codes',
    columns: ['code', 'cases'],
    rows: [...counts].sort(([, a], [, b]) => b - a),
  };
}

function memoryTable(): ResultTable {
  const settled = memory.filter(({ done }) => done >= SETTLED);
  const [start, end] = [settled[0], settled.at(-1)];
  const growth = start && end ? ((end.bytes - start.bytes) / Math.max(1, end.done - start.done)) * 1000 : 0;
  const most = settled.reduce((largest, { bytes }) => Math.max(largest, bytes), 0);
  return {
    title: 'Resident memory',
    columns: ['cases', `after ${SETTLED}`, 'most', 'last', 'growth per 1000'],
    rows: [
      [
        cases,
        ...[start?.bytes ?? 0, most, end?.bytes ?? 0].map(formatBytes),
        `${growth < 0 ? '-' : ''}${formatBytes(Math.abs(growth))}`,
      ],
    ],
  };
}

process.stdout.write(
  await writeResults(values.medical ? 'fuzz-medical' : kinds ? 'fuzz-kinds' : 'fuzz', {
    title: values.medical
      ? 'Damaged files of EDF, DICOM and NIfTI, and damaged live signals'
      : 'Damaged inputs',
    command: `npm run bench:fuzz -- --cases ${cases} --first ${first}${kinds ? ` --kinds ${kinds}` : ''}${values.medical ? ' --medical' : ''}`,
    about: values.medical ? MEDICAL : ANY,
    tables: [endsTable(), codesTable(), memoryTable()],
  }),
);
