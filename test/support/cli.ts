// Runs the command line, on a small network and data built in code.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { npyArray, writeNpz } from 'bedside/data';
import { type Model, writeModel } from 'bedside/onnx';
import { floatConstant, GraphBuilder, int, ints } from '../../src/onnx/internal.ts';
import { Random } from '../../src/util/internal.ts';
import { compiledSources } from './compiled.ts';
import { runHere } from './in-process.ts';

/** What a process left behind. */
export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * The command line, compiled. Commands that compute do so on one thread of the engine unless the words say otherwise:
 * while times are measured, a second one waits awake, and takes the core of another test.
 */
export interface Cli {
  /** The file that Node runs. */
  readonly main: string;
  /** Runs `bedside` with these words in this folder, within this process, one after the other. */
  run(words: readonly string[], cwd: string): Promise<Run>;
  /** The same as a process of its own. */
  runProcess(words: readonly string[], cwd: string): Promise<Run>;
  /** A process to talk to; the caller waits for its end. */
  spawn(words: readonly string[], cwd: string, more?: NodeJS.ProcessEnv): ChildProcess;
}

/** The command line of the sources as they are. */
export async function compileCli(): Promise<Cli> {
  const main = join(await compiledSources(), 'cli', 'main.js');
  const { BEDSIDE_DEBUG: _, ...env } = process.env;
  return {
    main,
    run: (given, cwd) => runHere(main, onOneThread(given), cwd),
    runProcess: (given, cwd) =>
      new Promise((resolve) => {
        const options = { cwd, env, timeout: 300_000, maxBuffer: 2 ** 26 };
        const child = execFile(
          process.execPath,
          [main, ...onOneThread(given)],
          options,
          (_error, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
        );
      }),
    spawn: (given, cwd, more = {}) =>
      spawn(process.execPath, [main, ...onOneThread(given)], { cwd, env: { ...env, ...more } }),
  };
}

/** Commands with `--threads`. */
const COMPUTING = ['init', 'evaluate', 'explain', 'compare', 'prune', 'quantize', 'pack', 'demo'];

function onOneThread(words: readonly string[]): readonly string[] {
  const asked = COMPUTING.includes(words[0] ?? '') && !words.includes('--threads');
  return asked ? [...words, '--threads', '1'] : words;
}

export const CLASSES = 3;
export const CHANNELS = 16;
const SIZE = 8;

/** Convolutions 1 -> 16 -> 16 of an 8 x 8 image, mean over space, linear layer to three classes (or so many scores). */
export function smallModel(seed = 1, classes = CLASSES): Model {
  const random = new Random(seed);
  const builder = new GraphBuilder();
  const weights = (dims: readonly number[]): string => {
    const length = dims.reduce((product, dim) => product * dim, 1);
    const fan = length / (dims[0] ?? 1);
    const data = Float32Array.from({ length }, () => random.normal() * Math.sqrt(2 / fan));
    return builder.constant(floatConstant(data, dims), 'weight');
  };
  const conv = (x: string, from: number, to: number): string =>
    builder.node(
      'Relu',
      [
        builder.node(
          'Conv',
          [x, weights([to, from, 3, 3]), weights([to])],
          { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) },
          'conv',
        ),
      ],
      {},
      'relu',
    );
  const input = builder.input('image', ['batch', 1, SIZE, SIZE]);
  const features = conv(conv(input, 1, CHANNELS), CHANNELS, CHANNELS);
  const pooled = builder.node('Flatten', [builder.node('GlobalAveragePool', [features])]);
  const scores = builder.node('Gemm', [pooled, weights([classes, CHANNELS])], { transB: int(1) }, 'scores');
  builder.output(scores, ['batch', classes]);
  return builder.model();
}

/** One linear layer: nothing can be pruned. */
export function linearModel(): Model {
  const builder = new GraphBuilder();
  const input = builder.input('image', ['batch', 1, SIZE, SIZE]);
  const weight = builder.constant(
    floatConstant(new Float32Array(CLASSES * SIZE * SIZE).fill(0.1), [CLASSES, SIZE * SIZE]),
  );
  const scores = builder.node(
    'Gemm',
    [builder.node('Flatten', [input]), weight],
    { transB: int(1) },
    'scores',
  );
  builder.output(scores, ['batch', CLASSES]);
  return builder.model();
}

/** `count` random images, labels taking turns, as `x` and `y`. */
export function smallData(
  count: number,
  options: { labels?: boolean; classes?: number; size?: number } = {},
): Uint8Array {
  const { labels = true, classes = CLASSES, size = SIZE } = options;
  const random = new Random(7);
  const x = Float32Array.from({ length: count * size * size }, () => random.normal());
  const y = BigInt64Array.from({ length: count }, (_, i) => BigInt(i % classes));
  return writeNpz({
    x: npyArray([count, 1, size, size], x),
    ...(labels ? { y: npyArray([count], y) } : {}),
  });
}

/** Writes model.onnx and data.npz (60 images) into a folder. */
export async function writeSmall(folder: string): Promise<void> {
  await writeFile(join(folder, 'model.onnx'), writeModel(smallModel()));
  await writeFile(join(folder, 'data.npz'), smallData(60));
}
