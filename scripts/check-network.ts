// Nothing leaves the room: `bedside demo`, the whole path in about a minute, under a tracer. No name may be looked up, no
// socket of the internet made, no file left in the home or temporary folder. Run: npm run check:network (after a build).
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasStrace, traced } from './network-trace.ts';

const MAIN = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

if (!hasStrace) {
  console.log('strace is not here: whether anything leaves the room is not checked');
  process.exit();
}
const folder = await mkdtemp(join(tmpdir(), 'bedside-room-'));
try {
  const start = performance.now();
  const trace = await traced([process.execPath, MAIN, 'demo', '--json', '--quiet'], folder);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const faults = [
    ...(trace.status === 0 ? [] : [`the demo ended with ${trace.status}: ${trace.stdout}${trace.stderr}`]),
    ...trace.network.map((call) => `reached out: ${call}`),
    ...trace.left.map((name) => `left behind: ${name}`),
  ];
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) process.exitCode = 1;
  else {
    console.log(
      `bedside demo, ${seconds} s, ${trace.tasks} processes and threads: no look-up, no socket of the internet, no stray file`,
    );
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
