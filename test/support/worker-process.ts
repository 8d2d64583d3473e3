// Takes the place of src/run/local/worker-process.ts in tests: processes of workers run what is compiled once for all test
// files, since the loader for TypeScript takes each of them more than a second of the processor.
import { join } from 'node:path';
import { compiledSources } from './compiled.ts';

export const WORKER_PROCESS = {
  path: join(await compiledSources(), 'run', 'local', 'child.js'),
  execArgv: [],
};
