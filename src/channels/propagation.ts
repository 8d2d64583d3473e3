// The state of one walk over a graph that passes channel variables from value to value.
import type { Constant, Model } from '../onnx/index.ts';
import {
  describeNode,
  type Graph,
  integersOf,
  knownValues,
  type Node,
  producers,
  readsOf,
} from '../onnx/internal.ts';
import { BedsideError } from '../util/index.ts';
import { ChannelVariables, type Label } from './channels.ts';

/** The variables of a weighted layer's output channels, or of the input channels that it sums over. */
export interface LayerChannels {
  readonly name: string;
  readonly ids: Int32Array;
  /** Whether its weights are on the left of a product, where criteria and repair do not read them. */
  readonly isLeft?: boolean;
  /** Whether it is a recurrent layer. */
  readonly isRecurrent?: boolean;
  /**
   * Only for a layer whose weights cannot be cut: the number of its output channels, and the reason. It has no
   * variables.
   */
  readonly fixed?: { readonly channels: number; readonly reason: string };
}

/** Labels a node's outputs from its inputs, or freezes channels that it cannot pass on. */
export type ChannelRule = (walk: Propagation, node: Node) => void;

/** Workspace of channel rules. Values without a label have no channel that could be removed. */
export class Propagation {
  readonly graph: Graph;
  readonly opset: number;
  readonly variables = new ChannelVariables();
  readonly labels = new Map<string, Label>();
  /** Weighted layers in execution order. */
  readonly layers: LayerChannels[] = [];
  /** Weighted layers that sum over labelled channels, in execution order. */
  readonly readers: LayerChannels[] = [];
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #names = new Set<string>();
  readonly #model: Model;
  #index: ReadIndex | undefined;
  #known: ReadonlyMap<string, readonly number[]> | undefined;

  /** @param index of the model's graph, if it exists already */
  constructor(model: Model, shapes: ReadonlyMap<string, readonly number[]>, index?: ReadIndex) {
    this.#index = index;
    this.#model = model;
    this.graph = model.graph;
    this.opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
    this.#shapes = shapes;
  }

  /** The shape of a value for one sample, or undefined where it is unknown. */
  shape(name: string | undefined): readonly number[] | undefined {
    return name ? (this.#shapes.get(name) ?? this.graph.constants.get(name)?.dims) : undefined;
  }

  /** The numbers of a small value that is constant or computed from shapes, for one sample. */
  known(name: string | undefined): readonly number[] | undefined {
    if (!name) return undefined;
    const constant = integersOf(this.graph.constants.get(name));
    if (constant) return constant;
    this.#known ??= knownValues(this.#model);
    return this.#known.get(name);
  }

  /** Nodes that read a value, directly or inside a subgraph. */
  readersOf(name: string): readonly Node[] {
    this.#index ??= new ReadIndex(this.graph);
    return this.#index.readers.get(name) ?? [];
  }

  /** The node that computes a value. */
  maker(name: string | undefined): Node | undefined {
    this.#index ??= new ReadIndex(this.graph);
    return name ? this.#index.makers.get(name) : undefined;
  }

  isOutput(name: string): boolean {
    this.#index ??= new ReadIndex(this.graph);
    return this.#index.outputs.has(name);
  }

  label(name: string | undefined): Label | undefined {
    return name ? this.labels.get(name) : undefined;
  }

  constant(name: string | undefined): Constant | undefined {
    return name ? this.graph.constants.get(name) : undefined;
  }

  /**
   * Gives a value its channels. A single channel can never be removed, and gets no label: beside wider values it is
   * broadcast. The same holds for channels whose number broadcasting or padding has changed.
   */
  set(name: string | undefined, label: Label | undefined): void {
    if (!name || !label) return;
    const size = this.shape(name)?.[label.axis] ?? label.ids.length;
    if (label.ids.length > 1 && size === label.ids.length) this.labels.set(name, label);
    else if (size === 1) this.variables.freeze(label.ids, `'${name}' holds a single channel`);
    else this.variables.freeze(label.ids, `'${name}' has ${size} channels where ${label.ids.length} meet`);
  }

  /** Freezes all channels that the node reads; its outputs get none. */
  freezeInputs(node: Node, why: string): void {
    for (const name of node.inputs) this.freeze(this.label(name), node, why);
  }

  freeze(label: Label | undefined, node: Node, why: string): void {
    if (label) this.variables.freeze(label.ids, `${describeNode(node)} ${why}`);
  }

  /** Records a layer whose output channels all stay, because of its weights. */
  addFixed(node: Node, channels: number, reason: string): void {
    const name = node.name || (node.outputs[0] ?? '');
    this.layers.push({ name, ids: new Int32Array(), fixed: { channels, reason } });
  }

  /**
   * Records a weighted layer.
   * @throws BedsideError E_MODEL when its node has no name
   */
  addLayer(node: Node, ids: Int32Array, isLeft = false, isRecurrent = false): void {
    if (node.name === '' || this.#names.has(node.name)) {
      throw new BedsideError('E_MODEL', `${describeNode(node)}: weighted layers need names of their own`, {
        hint: 'give each node a name that no other has, or read the model by `canonicalGraph`, which does',
      });
    }
    this.#names.add(node.name);
    this.layers.push({ name: node.name, ids, isLeft, isRecurrent });
  }
}

/** The nodes that compute and read each value of a graph (directly or inside a subgraph), and its outputs. */
export class ReadIndex {
  readonly readers = new Map<string, Node[]>();
  readonly makers: ReadonlyMap<string, Node>;
  readonly outputs: ReadonlySet<string>;

  constructor(graph: Graph) {
    this.makers = producers(graph);
    this.outputs = new Set(graph.outputs.map((value) => value.name));
    for (const node of graph.nodes) {
      for (const name of new Set(readsOf(node))) {
        const list = this.readers.get(name);
        if (list) list.push(node);
        else this.readers.set(name, [node]);
      }
    }
  }
}
