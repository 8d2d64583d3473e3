// The engine alone in a process of its own, as fast as it can: what a processor gives without requests around it.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openBundle } from '../../src/bundle/index.ts';
import { tensor } from '../../src/engine/index.ts';
import { sizeOf } from '../../src/onnx/internal.ts';
import type { RunPlan } from '../../src/run/index.ts';
import { Device } from '../../src/run/internal.ts';

interface Task {
  readonly bundle: string;
  readonly seconds: number;
}

if (process.argv[2] === 'engine') {
  process.once('disconnect', () => process.exit());
  process.once('message', (task: Task) => void prepare(task));
}

async function prepare({ bundle: dir, seconds }: Task): Promise<void> {
  const bundle = await openBundle(dir);
  const { manifest, sha256 } = bundle;
  const plan: RunPlan = {
    levels: manifest.groups.map(() => 0),
    stages: manifest.stages.map(({ index }) => ({ index, segments: [{ device: 'bare', from: 0, to: 1 }] })),
  };
  const device = new Device({ name: 'bare' }, [bundle]);
  await device.warm(sha256, plan);
  const { shape } = manifest.model.input;
  const input = tensor(new Float32Array(sizeOf(shape)), [1, ...shape]);
  const perSecond = async (): Promise<number> => {
    const start = performance.now();
    let done = 0;
    for (; performance.now() < start + 1000 * seconds; done++) {
      await device.run('bench', { bundle: sha256, plan, stage: 0, segment: 0 }, input);
    }
    return (1000 * done) / (performance.now() - start);
  };
  process.on('message', () => void perSecond().then((rate) => process.send?.(rate)));
  process.send?.('ready');
}

/** Runs a second of so many engines at the same time, in all. */
export async function enginesPerSecond(bundle: string, count: number, seconds: number): Promise<number> {
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const children = Array.from({ length: count }, () => {
    return fork(fileURLToPath(import.meta.url), ['engine'], { execArgv });
  });
  const ask = (message: unknown): Promise<unknown[]> =>
    Promise.all(
      children.map(
        (child) =>
          new Promise((resolve, reject) => {
            child.once('message', resolve);
            child.once('exit', (status) => reject(new Error(`an engine exited with ${status}`)));
            child.send(message as object);
          }),
      ),
    );
  try {
    await ask({ bundle, seconds });
    const rates = (await ask('run')) as number[];
    return rates.reduce((sum, rate) => sum + rate, 0);
  } finally {
    for (const child of children) {
      child.removeAllListeners('exit');
      child.kill();
    }
  }
}
