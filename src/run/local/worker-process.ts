// How the process of a worker is started: compiled, or from sources with the loader for TypeScript.
import { fileURLToPath } from 'node:url';

const compiled = !import.meta.url.endsWith('.ts');

/** The module that the process runs, and the options of Node for it. */
export const WORKER_PROCESS: { readonly path: string; readonly execArgv: readonly string[] } = {
  path: fileURLToPath(new URL(compiled ? './child.js' : './child.ts', import.meta.url)),
  execArgv: compiled ? [] : ['--import', import.meta.resolve('tsx')],
};
