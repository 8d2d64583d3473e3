// What running plans costs beside computing, how it scales, and what distribution and pruning gain alone and together.
// Command: npm run bench:run [-- --models a,b] [--parts overhead,throughput,distribution] [--seconds S] [--out NAME]; bundles
// are packed first where there are none: for the distribution that takes long, the other parts need few levels only.
import { parseArgs } from 'node:util';
import { PACK_INT8_COMMAND } from './lib/bundles.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { SHARED_MODELS } from './lib/shared.ts';
import { distributionTable, ROOM } from './run/distribution.ts';
import { openModel } from './run/model.ts';
import { overheadTable } from './run/overhead.ts';
import { throughputTable } from './run/throughput.ts';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: SHARED_MODELS.map(({ name }) => name).join() },
    parts: { type: 'string', default: 'overhead,throughput,distribution' },
    seconds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'run' },
  },
});

const parts = new Set(values.parts.split(','));
const seconds = Number(values.seconds);
const started = performance.now();
const say = (what: string): void =>
  void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}\n`);

const models = [];
for (const name of values.models.split(',')) models.push(await openModel(name, !parts.has('distribution')));
const tables: ResultTable[] = [];
if (parts.has('overhead')) {
  say('overhead of one request');
  tables.push(await overheadTable(models, seconds));
}
if (parts.has('throughput')) {
  say('throughput');
  tables.push(await throughputTable(models, seconds));
}
if (parts.has('distribution')) {
  for (const model of models) {
    say(`distribution and pruning, ${model.bundle.manifest.name}`);
    tables.push(await distributionTable(model));
  }
}
say('done');
process.stdout.write(
  await writeResults(values.out, {
    title: 'Running plans',
    command: 'npm run bench:run',
    about:
      `Bundles of the shared models, made by \`${PACK_INT8_COMMAND}\`. The ways at equal accuracy run on four emulated devices, ` +
      `processes of this machine with so much of its speed: ${ROOM}; the first has the input, and each pair has a link of the ` +
      'speed given and 1 ms. An emulated device computes, then waits until its own measurement of the stage, divided by its ' +
      'speed, is over; links delay what is sent. Plans are made for least time, by those measurements and the links. Ways ' +
      'without int8 know of no eight-bit forms; with the int8 wire alone, stages compute in float32 and tensors between ' +
      'devices may travel as eight bits.',
    tables,
  }),
);
