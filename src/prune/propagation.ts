// The state of one walk over a graph while channel variables are handed from value to value.
import { type Constant, describeNode, type Graph, type Model, type Node } from '../onnx/index.ts';
import { BedsideError } from '../util/index.ts';
import { ChannelVariables, type Label } from './channels.ts';

/** The variables of a weighted layer's output channels, or of the input channels it sums over. */
export interface LayerChannels {
  readonly name: string;
  readonly ids: Int32Array;
  /** Set instead of `ids` for channels that never get a variable. */
  readonly fixed?: { readonly channels: number; readonly reason: string };
}

/** What rules read and write; values without a label have no channel that could be removed. */
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

  constructor(model: Model, shapes: ReadonlyMap<string, readonly number[]>) {
    this.graph = model.graph;
    this.opset = model.opsets.get('') ?? model.opsets.get('ai.onnx') ?? 1;
    this.#shapes = shapes;
  }

  /** The shape of a value for one sample, or undefined where it is not known. */
  shape(name: string | undefined): readonly number[] | undefined {
    return name ? (this.#shapes.get(name) ?? this.graph.constants.get(name)?.dims) : undefined;
  }

  label(name: string | undefined): Label | undefined {
    return name ? this.labels.get(name) : undefined;
  }

  constant(name: string | undefined): Constant | undefined {
    return name ? this.graph.constants.get(name) : undefined;
  }

  set(name: string | undefined, label: Label | undefined): void {
    if (name && label) this.labels.set(name, label);
  }

  /** Freezes whatever channels the node reads; its outputs get none. */
  freezeInputs(node: Node, why: string): void {
    for (const name of node.inputs) this.freeze(this.label(name), node, why);
  }

  freeze(label: Label | undefined, node: Node, why: string): void {
    if (label) this.variables.freeze(label.ids, `${describeNode(node)} ${why}`);
  }

  /** Records a weighted layer. */
  addLayer(node: Node, ids: Int32Array, fixed?: { channels: number; reason: string }): void {
    if (node.name === '' || this.#names.has(node.name)) {
      throw new BedsideError(
        'E_INTERNAL',
        `internal: ${describeNode(node)}: weighted layers need names of their own`,
      );
    }
    this.#names.add(node.name);
    this.layers.push({ name: node.name, ids, ...(fixed ? { fixed } : {}) });
  }
}
