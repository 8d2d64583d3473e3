// The gateway's figures: what it adds to the engine, more load than it can carry, malformed requests, faults, and a soak.
// Command: npm run bench:serve [-- PART ...] [--rounds N] [--seconds S] [--requests N]; parts: latency, overload, malformed,
// faults, soak. A part that is not run keeps its tables. The ECG network's bundle is packed first where there is none, and
// the network that the package ships serves where the shared models are missing.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bundle } from '../src/bundle/index.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { servedBundle } from './serve/bundle.ts';
import { faultTables } from './serve/faults.ts';
import { latencyTables } from './serve/latency.ts';
import { malformedTables } from './serve/malformed.ts';
import { overloadTables } from './serve/overload.ts';
import { build } from './serve/processes.ts';
import { soakTables } from './serve/soak.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    seconds: { type: 'string' },
    requests: { type: 'string' },
  },
});

const number = (text: string | undefined, other: number): number =>
  text === undefined ? other : Number(text);

const PARTS: Readonly<Record<string, (bundle: Bundle) => Promise<ResultTable[]>>> = {
  latency: (bundle) => latencyTables(bundle, Number(values.rounds)),
  overload: (bundle) => overloadTables(bundle, number(values.seconds, 60)),
  malformed: (bundle) => malformedTables(bundle, number(values.requests, 10_000)),
  faults: (bundle) => faultTables(bundle, number(values.requests, 1000)),
  soak: (bundle) => soakTables(bundle, number(values.seconds, 600)),
};

/** Tables of an earlier run, by part. */
function known(): Record<string, ResultTable[]> {
  const path = fileURLToPath(new URL('results/serve.json', import.meta.url));
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
build();
const { bundle, about } = await servedBundle();
const found = known();
for (const part of wanted) {
  process.stderr.write(`${part}\n`);
  const tables = await PARTS[part]?.(bundle);
  found[part] = (tables ?? []).map((table) => ({ part, ...table }));
}
const text = await writeResults('serve', {
  title: 'The gateway',
  command: 'npm run bench:serve',
  about: `\`bedside serve\` as it is shipped, in a process of its own, and clients in another one on the same machine. ${about}`,
  tables: Object.keys(PARTS).flatMap((part) => found[part] ?? []),
});
process.stdout.write(text);
