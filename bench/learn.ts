// How near the learned policy comes to the exact planner on static requests it was not trained on, how soon it decides, what
// each part of its training brings, and how fast it trains.
// Command: npm run bench:learn [-- --instances N --ablations N] (0: those of the page before), or -- --only-ablations to add
// those to the tables that there are, or -- --only-precisions for requests whose stages have eight-bit forms, on a page of
// their own
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../src/util/index.ts';
import { ABLATIONS, ablations } from './learn/ablations.ts';
import { curves } from './learn/curves.ts';
import { decisionTimes } from './learn/decision-times.ts';
import { gapsByBundle, gapsBySize } from './learn/gaps.ts';
import { type ResultTable, writeResults } from './lib/results.ts';

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '1000' },
    bundles: { type: 'string', default: '50' },
    ablations: { type: 'string', default: '1' },
    'only-ablations': { type: 'boolean', default: false },
    'only-precisions': { type: 'boolean', default: false },
  },
});

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const ABOUT =
  'The shipped policy (models/policy.onnx) on requests that it was not trained on. A gap is (objective - exact) / exact ' +
  'against the plan of `exact` within 400 000 labels; the share of those plans that is proven optimal is told. Every plan is checked ' +
  'against every constraint by code of its own.';

if (values['only-precisions']) {
  const count = Number(values.instances);
  const page = await writeResults('learn-precisions', {
    title: 'The learned policy on requests with two precisions',
    command: `npm run bench:learn -- --only-precisions --instances ${count}`,
    about: `${ABOUT} Each stage may compute in float32 or in eight bits, and tensors may travel as eight bits, as in a third of the training.`,
    tables: [
      ...(await gapsBySize(count, say, 'precisions')),
      await gapsByBundle(Number(values.bundles), say, true),
    ],
  });
  process.stdout.write(page);
  process.exit();
}

const measured = async (): Promise<ResultTable[]> => [
  ...(await gapsBySize(Number(values.instances), say)),
  await gapsByBundle(Number(values.bundles), say),
  await decisionTimes(say),
];
const { table, picture } = await curves();
const path = new URL('results/learn.json', import.meta.url);
const only = values['only-ablations'];
const before = (): ResultTable[] =>
  (JSON.parse(readFileSync(path, 'utf8')) as { tables: ResultTable[] }).tables;
const tables = only
  ? before().filter(({ title }) => ![table.title, ABLATIONS].includes(title))
  : await measured();
if (only || Number(values.ablations) > 0) tables.push(await ablations(say));
else tables.push(...before().filter(({ title }) => title === ABLATIONS));
const image = new URL('results/learn-curves.svg', import.meta.url);
await writeFileAtomic(image.pathname, picture);
const text = await writeResults('learn', {
  title: 'The learned policy beside the exact planner',
  command: 'npm run bench:learn',
  about: `${ABOUT} ![Curves of training](learn-curves.svg)`,
  tables: [...tables, table],
});
process.stdout.write(text);
