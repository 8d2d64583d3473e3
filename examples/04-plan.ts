// Plans one request: the level of every group of channels and the devices of every stage, on a fleet from a JSON file.
// Run it in the repository: npx tsx examples/04-plan.ts
import { plan } from 'bedside';
import { fleetFile, withSmallBundle } from './small-bundle.ts';

await withSmallBundle(async (bundle) => {
  const found = await plan(bundle, {
    fleet: fleetFile('ward'),
    deadline: 0.05,
    accuracyFloor: 0.8,
    levels: 'certified',
  });
  console.log(`status ${found.status}, levels ${found.levels?.join(' ')}`);
  console.log(`${(1000 * (found.latency ?? 0)).toFixed(2)} ms, accuracy ${found.accuracy?.toFixed(3)}`);
  for (const { index, segments } of found.stages) {
    const devices = segments.map(({ device, from, to }) => `${device} [${from}, ${to})`);
    console.log(`stage ${index}: ${devices.join(' + ')}`);
  }
  // What simpler planners would give.
  for (const { solver, latency, reason } of found.baselines) {
    console.log(`${solver}: ${latency === null ? reason : `${(1000 * latency).toFixed(2)} ms`}`);
  }
});
