// Takes the place of src/util/thread.ts in tests: threads run what is compiled once for all test files.
import { pathToFileURL } from 'node:url';
import { MessageChannel, Worker } from 'node:worker_threads';
import { compiledFile } from './compiled.ts';

/** Waits for the module's name, and runs it. What the thread is asked until then waits for the module to listen. */
const CODE = `require('node:worker_threads').workerData.once('message', (url) => import(url));`;

/** As the one of the sources; at once, while the compiler may still run. */
export function startThread(from: string, name: string): Worker {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(CODE, { eval: true, workerData: port2, transferList: [port2] });
  compiledFile(new URL(`./${name}.ts`, from).href).then(
    (path) => port1.postMessage(pathToFileURL(path).href),
    (error: unknown) => worker.emit('error', error),
  );
  port1.unref();
  return worker;
}
