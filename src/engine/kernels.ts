// Which kernels a model runs on, as the engine's own profile of a run says.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '../onnx/index.ts';
import { must } from '../util/index.ts';
import { removedAtExit, temporaryFolder } from '../util/internal.ts';
import { openSession, toEngine } from './node.ts';
import type { SessionOptions, Tensor } from './session.ts';

/** One node as the engine ran it, after its graph passes. */
export interface RunKernel {
  /** The operator, such as `Conv` or `QLinearConv`. */
  readonly op: string;
  /** Name of the node, as the engine calls it. */
  readonly node: string;
  readonly microseconds: number;
}

/**
 * Runs a model twice and returns the kernels of the second run, in order.
 * @throws BedsideError E_ENGINE as `createSession`
 */
export async function runKernels(
  model: Model | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  options: SessionOptions,
): Promise<readonly RunKernel[]> {
  const folder = await mkdtemp(temporaryFolder(tmpdir()));
  const forget = removedAtExit(folder);
  try {
    const session = await openSession(model, options, {
      enableProfiling: true,
      profileFilePrefix: join(folder, 'run'),
    });
    const given = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, toEngine(value)]));
    for (let run = 0; run < 2; run++) await session.run(given);
    session.endProfiling();
    await session.release();
    const file = must((await readdir(folder))[0], 'a profile of the engine');
    const events = JSON.parse(await readFile(join(folder, file), 'utf8')) as readonly Event[];
    const kernels = events.flatMap(({ cat, name, dur, args }): RunKernel[] => {
      const isKernel = cat === 'Node' && args?.op_name !== undefined && name.endsWith('_kernel_time');
      const node = name.slice(0, -'_kernel_time'.length);
      return isKernel ? [{ op: args.op_name ?? '', node, microseconds: dur ?? 0 }] : [];
    });
    return kernels.slice(kernels.length / 2);
  } finally {
    await rm(folder, { recursive: true, force: true });
    forget();
  }
}

/** An entry of the profile, in the form of Chrome's trace viewer. */
interface Event {
  readonly cat?: string;
  readonly name: string;
  readonly dur?: number;
  readonly args?: { readonly op_name?: string };
}
