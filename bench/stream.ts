// Live signals on four emulated devices: 1, 10 and 40 beds at real time, a device killed and a link throttled on the way, and
// classes from beats that were found beside those from annotated peaks.
// Command: npm run bench:stream [-- PART ...] [--seconds S] [--records N]; parts: beds, faults, peaks. A part that is not run
// keeps its tables. The ECG network's bundle is packed first where there is none.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bundle } from '../src/bundle/index.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { dataPath } from './lib/shared.ts';
import { servedBundle } from './serve/bundle.ts';
import { bedTables } from './stream/beds.ts';
import { faultTables } from './stream/faults.ts';
import { peakTables } from './stream/peaks.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string' }, records: { type: 'string' } },
});
const number = (text: string | undefined, other: number): number =>
  text === undefined ? other : Number(text);

const folder = dataPath('mitdb');
const records = readdirSync(folder)
  .filter((file) => file.endsWith('.hea'))
  .map((file) => join(folder, file.slice(0, -4)))
  .sort();

const PARTS: Readonly<Record<string, (bundle: Bundle) => Promise<ResultTable[]>>> = {
  beds: (bundle) => bedTables(bundle, records, number(values.seconds, 120)),
  faults: (bundle) => faultTables(bundle, records.slice(0, 10), number(values.seconds, 120)),
  peaks: (bundle) =>
    peakTables(bundle, records.slice(0, number(values.records, records.length)), number(values.seconds, 300)),
};

/** Tables of an earlier run, by part. */
function known(): Record<string, ResultTable[]> {
  const path = fileURLToPath(new URL('results/stream.json', import.meta.url));
  if (!existsSync(path)) return {};
  const { tables } = JSON.parse(readFileSync(path, 'utf8')) as { tables: (ResultTable & { part: string })[] };
  const found: Record<string, ResultTable[]> = {};
  for (const table of tables) found[table.part] = [...(found[table.part] ?? []), table];
  return found;
}

const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
const other = wanted.find((part) => !(part in PARTS));
if (other !== undefined)
  throw new Error(`there is no part '${other}', only ${Object.keys(PARTS).join(', ')}`);
const { bundle, about } = await servedBundle();
const found = known();
for (const part of wanted) {
  process.stderr.write(`${part}\n`);
  const tables = await PARTS[part]?.(bundle);
  found[part] = (tables ?? []).map((table) => ({ part, ...table }));
}
const text = await writeResults('stream', {
  title: 'Live signals',
  command: [
    'npm run bench:stream',
    ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : []),
  ].join(' '),
  about:
    'Records of the MIT-BIH Arrhythmia Database are replayed in real time, one a bed, through `stream`. Beats are found live, and ' +
    'each is a request to four emulated devices: a monitor, a gateway, a tablet and a workstation, on one machine that also ' +
    `replays and detects. ${about}`,
  tables: Object.keys(PARTS).flatMap((part) => found[part] ?? []),
});
process.stdout.write(text);
