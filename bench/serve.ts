// The gateway's figures: what it adds to the engine, more load than it can carry, malformed requests, faults, and a soak.
// Command: npm run bench:serve [-- PART ...] [--rounds N] [--seconds S] [--requests N]; parts: latency, overload, malformed,
// faults, soak. A part that is not run keeps its tables, with their own date. Results are written after each part. The ECG
// network's bundle is packed first where there is none, and the network that the package ships serves where the shared
// models are missing.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Bundle } from '../src/bundle/index.ts';
import { progress, type Tell } from './lib/progress.ts';
import { type Made, madeNow, type ResultTable, writeResults } from './lib/results.ts';
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
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    requests: { type: 'string' },
  },
});

const number = (text: string | undefined, other: number): number =>
  text === undefined ? other : Number(text);

const PARTS: Readonly<Record<string, (bundle: Bundle, tell: Tell) => Promise<ResultTable[]>>> = {
  latency: (bundle, tell) => latencyTables(bundle, number(values.rounds, 7), tell),
  overload: (bundle, tell) => overloadTables(bundle, number(values.seconds, 60), tell),
  malformed: (bundle, tell) => malformedTables(bundle, number(values.requests, 10_000), tell),
  faults: (bundle, tell) => faultTables(bundle, number(values.requests, 1000), tell),
  soak: (bundle, tell) => soakTables(bundle, number(values.seconds, 600), tell),
};

/** Tables of earlier runs, by part, each with when it was made. */
function known(): Record<string, ResultTable[]> {
  const path = fileURLToPath(new URL('results/serve.json', import.meta.url));
  if (!existsSync(path)) return {};
  const earlier = JSON.parse(readFileSync(path, 'utf8')) as Made & {
    readonly tables: readonly (ResultTable & { readonly part: string })[];
  };
  const { command, date, machine } = earlier;
  const found: Record<string, ResultTable[]> = {};
  for (const table of earlier.tables) {
    const made = table.made ?? { command, date, machine };
    found[table.part] = [...(found[table.part] ?? []), { ...table, made }];
  }
  return found;
}

/** Writes what is known of all parts. */
function write(about: string, found: Readonly<Record<string, readonly ResultTable[]>>): Promise<string> {
  return writeResults('serve', {
    title: 'The gateway',
    command: 'npm run bench:serve',
    about: `\`bedside serve\` as its unit starts it, in a process of its own, and clients in another one on the same machine. ${about}`,
    tables: Object.keys(PARTS).flatMap((part) => found[part] ?? []),
  });
}

const wanted = positionals.length > 0 ? positionals : Object.keys(PARTS);
const other = wanted.find((part) => !(part in PARTS));
if (other !== undefined)
  throw new Error(`there is no part '${other}', only ${Object.keys(PARTS).join(', ')}`);
build();
const { bundle, about } = await servedBundle();
const found = known();
let text = '';
for (const part of wanted) {
  const tables = await PARTS[part]?.(bundle, progress(part));
  const given = Object.entries(values).flatMap(([name, value]) => {
    return value === undefined ? [] : [`--${name} ${value}`];
  });
  const made = madeNow(['npm run bench:serve --', part, ...given].join(' '));
  found[part] = (tables ?? []).map((table) => ({ part, ...table, made }));
  text = await write(about, found);
}
process.stdout.write(text);
