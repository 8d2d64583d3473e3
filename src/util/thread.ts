// Worker threads of modules that stand beside the one that starts them, compiled or from sources.
import { Worker } from 'node:worker_threads';

/**
 * Starts the module `name` beside `from` (an `import.meta.url`) in a thread of its own.
 * @param name without its ending
 */
export function startThread(from: string, name: string): Worker {
  if (!from.endsWith('.ts')) return new Worker(new URL(`./${name}.js`, from));
  // From sources, as tests run it: a thread does not inherit the loader that TypeScript needs.
  const thread = JSON.stringify(new URL(`./${name}.ts`, from).href);
  const loader = JSON.stringify(import.meta.resolve('tsx/esm/api'));
  const code = `import(${loader}).then(({ register }) => { register(); return import(${thread}); })`;
  return new Worker(code, { eval: true });
}
