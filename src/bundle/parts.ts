// Cuts a bundle in parts: a frame that every holder needs, and the weights of each stage, so that a device only takes
// the weights of its own stages. Each part has its SHA-256; that of the manifest is the identity of the bundle.

import { z } from 'zod';
import { findGroups } from '../channels/index.ts';
import { type Constant, type Model, readModel, writeModel } from '../onnx/index.ts';
import { extractSubgraph, sizeOf } from '../onnx/internal.ts';
import { BedsideError, must } from '../util/index.ts';
import { sha256Of } from '../util/internal.ts';
import { assertAgreement } from './agreement.ts';
import type { Bundle } from './bundle.ts';
import { parseManifest } from './parse-manifest.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from './safetensors.ts';
import { layerOf } from './weight-names.ts';

/** Weights with fewer elements stay in the frame: shapes, bounds and the like. */
const SMALL = 64;

const PART = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });
const SHAPES = z.record(z.string(), z.array(z.int().min(0)));

const INDEX = z.strictObject({
  format: z.literal('bedside-bundle-parts'),
  version: z.literal(1),
  manifest: PART,
  /** The network without its weights, and small tensors: corrections of variants. */
  frame: PART,
  common: PART,
  /** For each stage, the weights that it reads, with its repaired ones. */
  stages: z.array(PART),
  /** Shapes of the stages' contents: constants of the network, and tensors of the bundle. */
  constants: SHAPES,
  tensors: SHAPES,
});

/** The list of a bundle's parts. */
export type BundleIndex = z.output<typeof INDEX>;
export type BundlePart = BundleIndex['manifest'];

/** A cut bundle: its index, and the bytes of its parts by SHA-256. */
export interface CutBundle {
  readonly index: BundleIndex;
  readonly parts: ReadonlyMap<string, Uint8Array>;
}

/**
 * Cuts a bundle.
 * @param manifest the bytes of its manifest file
 * @throws BedsideError E_BUNDLE_HASH when these are not the bundle's
 */
export function cutBundle(bundle: Bundle, manifest: Uint8Array): CutBundle {
  if (sha256Of(manifest) !== bundle.sha256) {
    throw new BedsideError('E_BUNDLE_HASH', `bundle ${bundle.dir} was replaced while it was read`, {
      hint: 'open the bundle again',
    });
  }
  const { graph } = bundle.model;
  const stageOf = new Map(bundle.manifest.layers.map(({ name, stage }) => [name, stage]));
  const last = bundle.manifest.layers.at(-1)?.name;
  const constants = new Map<string, StoredTensor>();
  const own = bundle.manifest.stages.map(({ input, output }) => {
    const weights = new Map<string, StoredTensor>();
    for (const [name, constant] of extractSubgraph(bundle.model, [input], [output]).graph.constants) {
      if (constant.type !== 'float32' || constant.data.length < SMALL) continue;
      weights.set(`constant/${name}`, constant);
      constants.set(name, constant);
    }
    return weights;
  });
  const common = new Map<string, StoredTensor>();
  const ofStages = new Map<string, StoredTensor>();
  for (const [name, tensor] of bundle.tensors) {
    const stage = stageOf.get(layerOf(name, last) ?? '');
    if (stage === undefined) common.set(name, tensor);
    else {
      must(own[stage], 'a stage').set(`tensor/${name}`, tensor);
      ofStages.set(name, tensor);
    }
  }
  const parts = new Map<string, Uint8Array>();
  const part = (bytes: Uint8Array): BundlePart => {
    const sha256 = sha256Of(bytes);
    parts.set(sha256, bytes);
    return { sha256, bytes: bytes.length };
  };
  const empty = (constant: Constant): Constant =>
    ({ ...constant, dims: [0], data: new Float32Array(0) }) as Constant;
  const bare = new Map(
    [...graph.constants].map(([name, constant]) => [name, constants.has(name) ? empty(constant) : constant]),
  );
  const index: BundleIndex = {
    format: 'bedside-bundle-parts',
    version: 1,
    manifest: part(manifest),
    frame: part(writeModel({ ...bundle.model, graph: { ...graph, constants: bare } })),
    common: part(encodeSafetensors(common)),
    stages: own.map((weights) => part(encodeSafetensors(weights))),
    constants: shapesOf(constants),
    tensors: shapesOf(ofStages),
  };
  return { index, parts };
}

/**
 * Reads the bytes of an index.
 * @throws BedsideError E_BUNDLE
 */
export function parseIndex(bytes: Uint8Array, name: string): BundleIndex {
  try {
    return INDEX.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch (cause) {
    throw new BedsideError('E_BUNDLE', `${name} has no readable index of its parts`, {
      hint: 'nodes must be of one version of bedside; publish the bundle again',
      cause,
    });
  }
}

/** A bundle in which only some stages have their weights; those of the other stages are zeros. */
export class PartialBundle {
  readonly bundle: Bundle;
  readonly index: BundleIndex;
  readonly #held = new Set<number>();

  /**
   * The bundle without the weights of any stage.
   * @param parts manifest, frame and common part, with checked hashes
   * @throws BedsideError E_BUNDLE when they do not agree
   */
  constructor(
    sha256: string,
    index: BundleIndex,
    parts: { readonly manifest: Uint8Array; readonly frame: Uint8Array; readonly common: Uint8Array },
  ) {
    const name = `bundle ${sha256.slice(0, 12)}`;
    if (index.manifest.sha256 !== sha256 || sha256Of(parts.manifest) !== sha256) {
      throw new BedsideError('E_BUNDLE_HASH', `${name}: its manifest is not the one that names it`, {
        hint: 'publish the bundle again',
      });
    }
    const manifest = parseManifest(parts.manifest, name);
    const model: Model = readModel(parts.frame, name);
    const { constants } = model.graph;
    for (const [constant, dims] of Object.entries(index.constants)) {
      const bare = must(constants.get(constant), `constant '${constant}'`);
      constants.set(constant, { ...bare, ...zeros(dims) } as Constant);
    }
    const tensors = decodeSafetensors(parts.common, name);
    for (const [tensor, dims] of Object.entries(index.tensors)) tensors.set(tensor, zeros(dims));
    const grouping = findGroups(model);
    assertAgreement({ manifest, model, grouping, tensors }, name);
    this.index = index;
    this.bundle = { dir: name, sha256, manifest, model, grouping, tensors };
  }

  /** Whether a stage has its weights. */
  holds(stage: number): boolean {
    return this.#held.has(stage);
  }

  get held(): readonly number[] {
    return [...this.#held].sort((a, b) => a - b);
  }

  /**
   * Fills in a stage's weights, in the same arrays that the bundle's models refer to.
   * @param bytes with a checked hash
   * @throws BedsideError E_BUNDLE when they are not those of the stage
   */
  fill(stage: number, bytes: Uint8Array): void {
    if (this.#held.has(stage)) return;
    const { model, tensors, dir } = this.bundle;
    for (const [key, { dims, data }] of decodeSafetensors(bytes, `${dir}, stage ${stage}`)) {
      const [kind, ...rest] = key.split('/');
      const name = rest.join('/');
      const constant = kind === 'constant' ? model.graph.constants.get(name) : undefined;
      const place = constant?.type === 'float32' ? constant : tensors.get(name);
      if (place?.dims.join() !== dims.join()) {
        throw new BedsideError(
          'E_BUNDLE',
          `${dir}: stage ${stage} has weights '${name}' that it should not`,
          {
            hint: 'publish the bundle again',
          },
        );
      }
      place.data.set(data);
    }
    this.#held.add(stage);
  }
}

function zeros(dims: readonly number[]): StoredTensor {
  return { dims, data: new Float32Array(sizeOf(dims)) };
}

function shapesOf(tensors: ReadonlyMap<string, StoredTensor>): Record<string, number[]> {
  return Object.fromEntries([...tensors].map(([name, { dims }]) => [name, [...dims]]));
}
