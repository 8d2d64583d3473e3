// Runs a network on two workers of this machine: a plan says which of them computes each stage.
// Run it in the repository: npx tsx examples/05-run-distributed.ts
import { Deployment, infer, LocalPool } from 'bedside';
import { HEARTBEATS, withSmallBundle } from './small-bundle.ts';

await withSmallBundle(async (bundle) => {
  // NatsPool.join instead takes devices that joined a NATS server.
  await using pool = await LocalPool.start(bundle, { workers: 2 });

  // A data set: every answer is compared with that of one machine.
  const result = await infer(bundle, { data: HEARTBEATS, pool });
  console.log(
    `${(100 * result.accuracy).toFixed(1)} % of ${result.n} beats, ${result.msPerRequest.toFixed(1)} ms a beat`,
  );
  const stages = result.plan.stages.map(({ segments }) => segments.map(({ device }) => device).join('+'));
  console.log(`stages on ${stages.join(', ')}`);
  console.log(`the same as on one machine: ${result.matchesSingleMachine}`);

  // Single samples, as they come: uncertain answers run again unpruned, and a lost worker is replaced by another plan.
  await using deployment = await Deployment.start(pool, { deadline: 1, fallbackMargin: 0.2 });
  const { logits, margin } = await deployment.infer(HEARTBEATS.samples.slice(0, 256));
  const likeliest = logits.data.indexOf(Math.max(...logits.data));
  console.log(`first beat: class ${HEARTBEATS.classNames[likeliest]}, margin ${margin.toFixed(2)}`);
});
