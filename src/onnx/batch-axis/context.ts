// The workspace of a batch rule: where a node's inputs hold their samples, and shapes at several batch sizes.
import type { Model, Node } from '../graph.ts';
import { describeNode } from '../ops.ts';
import { type Inferred, NotKnown, ShapeContext } from '../shapes/context.ts';
import { type BatchAxis, type BatchPlace, samePlace, type UnknownPlace } from './place.ts';

/** Thrown by a rule that cannot tell: the node's outputs are then unknown. Never escapes. */
export class Lost extends Error {
  readonly place: UnknownPlace;
  constructor(place: UnknownPlace) {
    super(place.reason);
    this.place = place;
  }
}

/** Shapes and small values with a number of samples. */
export interface SizedRun {
  readonly samples: number;
  readonly inferred: Inferred;
}

/** How many elements a value may have to be read here. */
const LIMIT = 4096;

/** One node, where its inputs hold their samples, and its shapes. */
export class PlaceContext {
  readonly node: Node;
  readonly opset: number;
  readonly #model: Model;
  readonly #places: ReadonlyMap<string, BatchPlace>;
  readonly #runs: readonly SizedRun[];

  constructor(model: Model, node: Node, places: ReadonlyMap<string, BatchPlace>, runs: readonly SizedRun[]) {
    this.node = node;
    this.opset = model.opsets.get(node.domain === 'ai.onnx' ? '' : node.domain) ?? 1;
    this.#model = model;
    this.#places = places;
    this.#runs = runs;
  }

  has(index: number): boolean {
    return Boolean(this.node.inputs[index]);
  }

  /** The axis of an input's samples, or undefined where it has none. An unknown one ends the rule. */
  place(index: number): BatchAxis | undefined {
    const name = this.node.inputs[index];
    const place = name ? this.#places.get(name) : undefined;
    if (place?.kind === 'unknown') throw new Lost(place);
    return place?.kind === 'axis' ? place : undefined;
  }

  /** Number of axes of an input. */
  rank(index: number): number {
    return this.shape(index).length;
  }

  /** An input's shape at the first of the batch sizes. */
  shape(index: number): readonly number[] {
    return this.shapes(index)[0] as readonly number[];
  }

  /** An input's shape at each of the batch sizes. */
  shapes(index: number): (readonly number[])[] {
    return this.#shapesOf(this.node.inputs[index] ?? '');
  }

  /** An output's shape at each of the batch sizes. */
  outputShapes(index: number): (readonly number[])[] {
    return this.#shapesOf(this.node.outputs[index] ?? '');
  }

  /** Numbers of samples, one for each shape. */
  get samples(): readonly number[] {
    return this.#runs.map(({ samples }) => samples);
  }

  /** The workspaces of shape rules, at each of the batch sizes. */
  shapeContexts(): ShapeContext[] {
    return this.#runs.map(({ inferred }) => new ShapeContext(this.#model.graph, this.node, LIMIT, inferred));
  }

  /** Integers given by an input or an attribute; undefined when neither is there. */
  ints(index: number, attribute: string): number[] | undefined {
    const [context] = this.shapeContexts();
    try {
      return context?.ints(index, attribute);
    } catch (error) {
      if (error instanceof NotKnown) this.lose(`reads ${attribute} that are computed as it runs`);
      throw error;
    }
  }

  /** An axis counted from the front. */
  axis(axis: number, rank: number): number {
    return axis < 0 ? axis + rank : axis;
  }

  /** The one place that all inputs with samples agree on, after each has been turned to the output's axes. */
  agreed(places: readonly (BatchAxis | undefined)[]): BatchAxis | undefined {
    const found = places.filter((place) => place !== undefined);
    const [first] = found;
    if (first && !found.every((place) => samePlace(place, first))) {
      this.lose('joins values that hold their samples on different axes');
    }
    return first;
  }

  /** The samples' axis must not be the one that the node works along. */
  apart(place: BatchAxis | undefined, axis: number | undefined): void {
    if (place && place.axis === axis) this.mix();
  }

  mix(): never {
    return this.lose('computes across samples', true);
  }

  lose(reason: string, mixes = false): never {
    throw new Lost({ kind: 'unknown', node: describeNode(this.node), reason, mixes });
  }

  #shapesOf(name: string): (readonly number[])[] {
    return this.#runs.map(({ inferred }) => inferred.shapes.get(name) ?? this.#shapeless(name));
  }

  /** The node to blame is the one that made the value. */
  #shapeless(name: string): never {
    const maker = this.#model.graph.nodes.find(({ outputs }) => outputs.includes(name)) ?? this.node;
    const reason = `gives '${name}', whose shape is not known`;
    throw new Lost({ kind: 'unknown', node: describeNode(maker), reason, mixes: false });
  }
}
