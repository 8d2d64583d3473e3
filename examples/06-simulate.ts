// Compares planners in a simulated ward: links fade, other programs load the devices, and devices leave and return.
// Run it in the repository: npx tsx examples/06-simulate.ts
import { simulate } from 'bedside';
import { withSmallBundle } from './small-bundle.ts';

await withSmallBundle(async (bundle) => {
  const { place, requests, rows } = await simulate([bundle], {
    preset: 'ambulance',
    solvers: ['policy', 'static', 'local'],
    requests: 100,
    seed: 1,
  });
  console.log(`${requests} requests in ${place}`);
  for (const { solver, objective, served, late, refused } of rows) {
    console.log(
      `${solver}: objective ${objective?.toFixed(3)}, ${served} served, ${late} late, ${refused} refused`,
    );
  }
});
