// Takes the place of src/run/local/worker-process.ts in tests: processes of workers run what is compiled once for all test
// files, since the loader for TypeScript takes each of them more than a second of the processor.
import { dirname, join } from 'node:path';
import { compileCli } from './cli.ts';

const { main } = await compileCli();

export const WORKER_PROCESS = {
  path: join(dirname(main), '..', 'run', 'local', 'child.js'),
  execArgv: [],
};
