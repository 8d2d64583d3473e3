// The tests with more of everything that is drawn at random. Run: npm run test:long
import { spawnSync } from 'node:child_process';

const { status } = spawnSync('npx', ['vitest', 'run', ...process.argv.slice(2)], {
  env: { ...process.env, BEDSIDE_LONG: '1' },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
