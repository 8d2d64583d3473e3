// What running plans costs beside computing, how it scales, and what distribution and pruning gain alone and together.
// Command: npm run bench:run [-- --models a,b] [--parts overhead,throughput,distribution] [--seconds S] [--out NAME]
// [--variants N] [--test-per-class N] [--requests N]; bundles are packed first where there are none: for the distribution
// that takes long, the other parts need few levels only. A distribution that is done sooner: --variants 24
// --test-per-class 40 --requests 5.
import { parseArgs } from 'node:util';
import { packInt8Command, VARIANTS } from './lib/bundles.ts';
import { type ResultTable, writeResults } from './lib/results.ts';
import { SHARED_MODELS } from './lib/shared.ts';
import { type ComparedWays, compareWays, gainTable, ROOM } from './run/distribution.ts';
import { openModel } from './run/model.ts';
import { overheadTable } from './run/overhead.ts';
import { throughputTable } from './run/throughput.ts';

const { values } = parseArgs({
  options: {
    models: { type: 'string', default: SHARED_MODELS.map(({ name }) => name).join() },
    parts: { type: 'string', default: 'overhead,throughput,distribution' },
    seconds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'run' },
    variants: { type: 'string', default: `${VARIANTS}` },
    'test-per-class': { type: 'string', default: '100' },
    requests: { type: 'string', default: '9' },
  },
});

const given = process.argv.slice(2);
const parts = new Set(values.parts.split(','));
const seconds = Number(values.seconds);
const started = performance.now();
const say = (what: string): void =>
  void process.stderr.write(`${((performance.now() - started) / 1000).toFixed(0)} s: ${what}\n`);

const models = [];
for (const name of values.models.split(',')) {
  models.push(
    await openModel(name, {
      isLight: !parts.has('distribution'),
      variants: Number(values.variants),
      perClass: Number(values['test-per-class']),
    }),
  );
}
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
  const compared: ComparedWays[] = [];
  for (const model of models) {
    say(`distribution and pruning, ${model.bundle.manifest.name}`);
    compared.push(await compareWays(model, Number(values.requests)));
  }
  tables.push(gainTable(compared), ...compared.map(({ table }) => table));
}
say('done');
process.stdout.write(
  await writeResults(values.out, {
    title: 'Running plans',
    command: ['npm run bench:run', ...(given.length > 0 ? ['--', ...given] : [])].join(' '),
    about:
      `Bundles of the shared models, made by \`${packInt8Command(Number(values.variants))}\`. The ways at equal accuracy run on four emulated devices, ` +
      `processes of this machine with so much of its speed: ${ROOM}; the first has the input, and each pair has a link of the ` +
      'speed given and 1 ms. An emulated device computes, then waits until its own measurement of the stage, divided by its ' +
      'speed, is over; links delay what is sent. Plans are made for least time, by those measurements and the links. Ways ' +
      'without int8 know of no eight-bit forms; with the int8 wire alone, stages compute in float32 and tensors between ' +
      'devices may travel as eight bits. With the input sent, the first stage may be on any device, to which the input ' +
      'travels as the integers that it is made of, or as float32 where it is small or made of none.',
    tables,
  }),
);
