// A bundle in the making: assembles networks at any level vector from the tables fitted so far.
import { assembleModel } from '../bundle/index.ts';
import {
  type Assembly,
  type AssemblyLayer,
  assemblePart,
  type BundleGroup,
  type Correction,
  keptUnitsAt,
  type Share,
  tableBias,
  tableWeight,
} from '../bundle/internal.ts';
import type { Grouping, KeptUnits } from '../channels/index.ts';
import { keptPositions } from '../channels/internal.ts';
import type { Model } from '../onnx/index.ts';
import { weightedLayers } from '../onnx/internal.ts';

/** Repaired weights of one layer for one level of what it reads, with the rows of all its outputs. */
export interface LayerTable {
  readonly layer: string;
  /** Above 0. */
  readonly level: number;
  /** Laid out as the layer's weight in the model: `[out, in/groups, ...kernel]` or `[in, out]`. */
  readonly weight: Float32Array;
  readonly weightDims: readonly number[];
  readonly bias: Float32Array | undefined;
}

/** The tensors of a bundle's weights file that hold tables. */
export function tableTensors(tables: readonly LayerTable[]): Assembly['tensors'] {
  return new Map(
    tables.flatMap(({ layer, level, weight, weightDims, bias }) => [
      [tableWeight(layer, level), { dims: weightDims, data: weight }] as const,
      ...(bias ? [[tableBias(layer, level), { dims: [bias.length], data: bias }] as const] : []),
    ]),
  );
}

/** The parts of a bundle that exist while its tables are fitted. */
export class DraftBundle {
  readonly groups: readonly BundleGroup[];
  readonly #model: Model;
  readonly #grouping: Grouping;
  readonly #tables: LayerTable[] = [];
  /** As the tables fitted so far make it. */
  #assembly: Assembly;
  readonly #reads: ReadonlyMap<string, readonly Share[]>;

  constructor(model: Model, grouping: Grouping, groups: readonly BundleGroup[]) {
    this.#model = model;
    this.#grouping = grouping;
    this.groups = groups;
    this.#reads = new Map(
      weightedLayers(model).map((layer) => [layer.name, valueShares(grouping, layer.input)]),
    );
    this.#assembly = this.#put();
  }

  get unpruned(): Model {
    return this.#model;
  }

  /** Number of levels, the unpruned one included. */
  get levels(): number {
    return this.groups[0]?.counts.length ?? 1;
  }

  /** Groups that a layer reads units of. */
  readsOf(layer: string): readonly number[] {
    return (this.#reads.get(layer) ?? []).map(({ group }) => group);
  }

  /** Adds the tables of a layer at all levels; later networks are assembled with them. */
  add(tables: readonly LayerTable[]): void {
    this.#tables.push(...tables);
    this.#assembly = this.#put();
  }

  /** The network at a level vector. */
  assemble(levels: readonly number[], correction?: Correction): Model {
    return assembleModel(this.#assembly, levels, { correction });
  }

  /** A part of the unpruned network (from `extractSubgraph`) at a level vector. */
  assemblePart(part: Model, levels: readonly number[]): Model {
    return assemblePart(part, this.#assembly, levels);
  }

  /** Positions of a value that stay when every group is at one level, or undefined when all do. */
  positionsAt(level: number): (value: string) => number[] | undefined {
    return keptPositions(this.#grouping, this.keepAt(this.groups.map(() => level)));
  }

  /** The units that stay at a level vector. */
  keepAt(levels: readonly number[]): KeptUnits {
    return keptUnitsAt(this.#assembly.manifest, levels);
  }

  #put(): Assembly {
    const made = new Set(this.#tables.map(({ layer }) => layer));
    const layers = Array.from(
      this.#reads,
      ([name, reads]): AssemblyLayer => ({ name, reads, tables: made.has(name) }),
    );
    const ratios = Array.from({ length: this.levels }, (_, level) => level / this.levels);
    return {
      manifest: { name: 'draft', groups: this.groups, ratios, layers, variants: [] },
      model: this.#model,
      grouping: this.#grouping,
      tensors: tableTensors(this.#tables),
    };
  }
}

/** The groups on the channel axis of a value, ascending, with their shares of the channels. */
export function valueShares(grouping: Grouping, value: string): Share[] {
  const channels = grouping.values.get(value);
  return channels ? sharesAt(channels) : [];
}

/** The groups of some positions, ascending, with their shares. */
export function sharesAt({ group: all }: { readonly group: Int32Array }): Share[] {
  const positions = new Map<number, number>();
  for (const id of all) if (id >= 0) positions.set(id, (positions.get(id) ?? 0) + 1);
  return [...positions]
    .sort(([a], [b]) => a - b)
    .map(([group, count]) => ({ group, share: count / all.length }));
}
