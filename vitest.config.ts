// Tests import the package by its public names; those resolve to the sources, so no build is needed first.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const src = fileURLToPath(new URL('src', import.meta.url));

/** Files that take long because they wait: what starts first has others beside it, what starts last holds up the end. */
const FIRST = [
  'src/run/nats/nats-fabric.test.ts',
  'test/dashboard/dashboard.test.ts',
  'test/cli-cluster.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = FIRST.findIndex((path) => moduleId.endsWith(path));
      return at < 0 ? FIRST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      ...['worker-process', 'thread'].map((name) => ({
        find: `./${name}.ts`,
        replacement: fileURLToPath(new URL(`test/support/${name}.ts`, import.meta.url)),
      })),
      { find: /^bedside$/, replacement: `${src}/index.ts` },
      { find: /^bedside\/(.+)$/, replacement: `${src}/$1/index.ts` },
    ],
  },
  test: {
    include: ['{src,test,scripts,bench}/**/*.test.ts'],
    globals: false,
    // Native addons (onnxruntime-node, sharp) keep state per process: worker threads would share and may crash on it.
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    // A file's modules are loaded once for all files of a process; no test changes them.
    isolate: false,
    experimental: { fsModuleCache: true },
    // Twice the cores: several tests mostly wait, for faults to be noticed, senders to stall and processes to start.
    maxWorkers: 2 * availableParallelism(),
    // Commands that share a process wait for each other, and a machine may be busy: only what hangs ends so.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 10_000,
    // `npm run coverage`. Processes that tests start (workers, the command line) are not counted.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts', 'src/**/test-support/**', 'src/onnx/codec/onnx_pb.ts'],
      reporter: ['text-summary', 'html'],
    },
  },
});
