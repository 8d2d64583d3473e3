// How near the learned policy comes to the exact planner on static requests it was not trained on, how soon it decides, what
// each part of its training brings, and how fast it trains.
// Command: npm run bench:learn [-- --instances N --ablations N]
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../src/util/index.ts';
import { ablations } from './learn/ablations.ts';
import { curves } from './learn/curves.ts';
import { decisionTimes } from './learn/decision-times.ts';
import { gapsByBundle, gapsBySize } from './learn/gaps.ts';
import { writeResults } from './lib/results.ts';

const { values } = parseArgs({
  options: {
    instances: { type: 'string', default: '1000' },
    bundles: { type: 'string', default: '50' },
    ablations: { type: 'string', default: '1' },
  },
});

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const tables = [
  ...(await gapsBySize(Number(values.instances), say)),
  await gapsByBundle(Number(values.bundles), say),
  await decisionTimes(say),
  ...(Number(values.ablations) > 0 ? [await ablations(say)] : []),
];
const { table, picture } = await curves();
const image = new URL('results/learn-curves.svg', import.meta.url);
await writeFileAtomic(image.pathname, picture);
const text = await writeResults('learn', {
  title: 'The learned policy beside the exact planner',
  command: 'npm run bench:learn',
  about:
    'The shipped policy (models/policy.onnx) on requests that it was not trained on. A gap is (objective - exact) / exact ' +
    'against the plan of `exact` within 400 000 labels; the share of those plans that is proven optimal is told. Every plan is checked ' +
    'against every constraint by code of its own. ![Curves of training](learn-curves.svg)',
  tables: [...tables, table],
});
process.stdout.write(text);
