// The workspace of a shape rule: input shapes and known input values.
import { BedsideError } from '../../util/index.ts';
import { ELEM, type Graph, type Node, sizeOf } from '../graph.ts';
import { describeNode, intsAttribute } from '../ops.ts';
import { integersOf, type Known, knownOf } from './known.ts';

/** Thrown by a rule whose inputs are not known enough; the node's outputs are then left out. Never escapes. */
export class NotKnown extends Error {
  /** Without a stack trace, which takes longer than most rules. */
  constructor() {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super();
    Error.stackTraceLimit = limit;
  }
}

/** Everything inferred so far. */
export interface Inferred {
  readonly shapes: Map<string, number[]>;
  /** ONNX element types. */
  readonly types: Map<string, number>;
  readonly known: Map<string, Known>;
}

/** One node and what is known about its inputs. */
export class ShapeContext {
  readonly graph: Graph;
  readonly node: Node;
  /** Values of more elements than this are not evaluated. */
  readonly limit: number;
  readonly #inferred: Inferred;

  constructor(graph: Graph, node: Node, limit: number, inferred: Inferred) {
    this.graph = graph;
    this.node = node;
    this.limit = limit;
    this.#inferred = inferred;
  }

  has(index: number): boolean {
    return Boolean(this.node.inputs[index]);
  }

  /** The shape of an input. */
  shape(index: number): number[] {
    const shape = this.#inferred.shapes.get(this.node.inputs[index] ?? '');
    if (!shape) throw new NotKnown();
    return shape;
  }

  elemType(index: number): number {
    return this.#inferred.types.get(this.node.inputs[index] ?? '') ?? ELEM.float32;
  }

  /** The values of an input. */
  known(index: number): Known {
    const name = this.node.inputs[index] ?? '';
    const done = this.#inferred.known.get(name);
    if (done) return done;
    const constant = this.graph.constants.get(name);
    const size = constant ? sizeOf(constant.dims) : 0;
    const known = constant && size <= this.limit ? knownOf(constant) : undefined;
    if (!known) throw new NotKnown();
    this.#inferred.known.set(name, known);
    return known;
  }

  /** Integers given by an input, or in older operator sets by an attribute; undefined when neither is there. */
  ints(index: number, attribute: string): number[] | undefined {
    if (!this.has(index)) return intsAttribute(this.node, attribute);
    const constant = this.graph.constants.get(this.node.inputs[index] ?? '');
    // Read past the limit: a list of axes or sizes is short whatever the limit.
    const size = constant ? sizeOf(constant.dims) : 0;
    const values = size <= 1024 ? integersOf(constant) : undefined;
    if (values) return values;
    return Array.from(this.known(index).data);
  }

  /** An axis counted from the front. */
  axis(axis: number, rank: number): number {
    const result = axis < 0 ? axis + rank : axis;
    if (!Number.isInteger(result) || result < 0 || result >= rank) {
      throw this.wrong(`axis ${axis} is outside a tensor of rank ${rank}`);
    }
    return result;
  }

  wrong(what: string): BedsideError {
    return new BedsideError('E_MODEL', `${describeNode(this.node)}: ${what}`, {
      hint: 'check the model with onnx.checker and export it again',
    });
  }
}
