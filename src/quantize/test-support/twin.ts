// A slow twin of the engine's integer kernels: whole numbers, one node at a time, written from the definitions.
import {
  floatAttribute,
  type Graph,
  intAttribute,
  intsAttribute,
  knownOf,
  type Node,
} from '../../onnx/internal.ts';
import { must } from '../../util/index.ts';

/** A tensor of real numbers that integers mean. */
export interface Meant {
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** What a quantised node gives before it is rounded, from the numbers that its inputs mean. */
export function nodeTwin(graph: Graph, node: Node, read: (name: string) => Meant): Float64Array {
  switch (node.op) {
    case 'Conv':
      return convTwin(graph, node, read(must(node.inputs[0], 'data')));
    case 'Gemm':
    case 'MatMul':
      return denseTwin(graph, node, read(must(node.inputs[0], 'data')));
    case 'Add':
    case 'Mul':
      return pairTwin(node.op, read(must(node.inputs[0], 'a')), read(must(node.inputs[1], 'b')));
    case 'Sigmoid':
      return Float64Array.from(read(must(node.inputs[0], 'x')).data, (x) => 1 / (1 + Math.exp(-x)));
    case 'LeakyRelu': {
      const alpha = floatAttribute(node, 'alpha', 0.01);
      return Float64Array.from(read(must(node.inputs[0], 'x')).data, (x) => (x < 0 ? alpha * x : x));
    }
    case 'AveragePool':
      return poolTwin(node, read(must(node.inputs[0], 'x')));
    case 'GlobalAveragePool':
      return meanTwin(read(must(node.inputs[0], 'x')));
    case 'Concat':
      return concatTwin(node.inputs.map(read));
    default:
      throw new Error(`no twin of ${node.op}`);
  }
}

/** The numbers that a stored tensor means: integers times the scale of their output channel, on the given axis. */
function stored(graph: Graph, name: string, axis: number): Meant {
  const node = must(
    graph.nodes.find(({ outputs }) => outputs[0] === name),
    `what makes ${name}`,
  );
  const [integers, scales] = node.inputs.map((input) => knownOf(must(graph.constants.get(input), input)));
  const { dims, data } = must(integers, 'integers');
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = dims[axis] ?? 1;
  const own = must(scales, 'scales').data;
  return { dims, data: data.map((value, i) => value * (own[Math.floor(i / inner) % size] ?? Number.NaN)) };
}

function convTwin(graph: Graph, node: Node, x: Meant): Float64Array {
  const w = stored(graph, must(node.inputs[1], 'weight'), 0);
  const bias = node.inputs[2] ? stored(graph, node.inputs[2], 0).data : undefined;
  const [batch = 0, channels = 0, ...space] = x.dims;
  const [outputs = 0, perGroup = 0, ...kernel] = w.dims;
  const strides = intsAttribute(node, 'strides') ?? kernel.map(() => 1);
  const pads = intsAttribute(node, 'pads') ?? [...kernel, ...kernel].map(() => 0);
  const groups = intAttribute(node, 'group', 1);
  const sizes = space.map((size, d) => {
    const padded = size + (pads[d] ?? 0) + (pads[d + space.length] ?? 0);
    return Math.floor((padded - (kernel[d] ?? 1)) / (strides[d] ?? 1)) + 1;
  });
  const [plane, window, out] = [space, kernel, sizes].map((dims) => dims.reduce((a, b) => a * b, 1)) as [
    number,
    number,
    number,
  ];
  const result = new Float64Array(batch * outputs * out);
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outputs; o++) {
      const group = Math.floor(o / (outputs / groups));
      for (let p = 0; p < out; p++) {
        const at = places(p, sizes);
        let sum = bias?.[o] ?? 0;
        for (let t = 0; t < window; t++) {
          const tap = places(t, kernel);
          let flat = 0;
          let inside = true;
          for (const [d, size] of space.entries()) {
            const place = (at[d] ?? 0) * (strides[d] ?? 1) - (pads[d] ?? 0) + (tap[d] ?? 0);
            inside &&= place >= 0 && place < size;
            flat = flat * size + place;
          }
          if (!inside) continue;
          for (let i = 0; i < perGroup; i++) {
            const value = x.data[(n * channels + group * perGroup + i) * plane + flat] ?? Number.NaN;
            sum += value * (w.data[(o * perGroup + i) * window + t] ?? Number.NaN);
          }
        }
        result[(n * outputs + o) * out + p] = sum;
      }
    }
  }
  return result;
}

function places(flat: number, dims: readonly number[]): number[] {
  let rest = flat;
  return dims
    .toReversed()
    .map((size) => {
      const own = rest % size;
      rest = Math.floor(rest / size);
      return own;
    })
    .reverse();
}

function denseTwin(graph: Graph, node: Node, x: Meant): Float64Array {
  const w = stored(graph, must(node.inputs[1], 'weight'), 1);
  const bias = node.inputs[2] ? stored(graph, node.inputs[2], 0).data : undefined;
  const [inputs = 0, outputs = 0] = w.dims;
  const rows = x.data.length / inputs;
  return Float64Array.from({ length: rows * outputs }, (_, at) => {
    const [row, o] = [Math.floor(at / outputs), at % outputs];
    let sum = bias?.[o] ?? 0;
    for (let i = 0; i < inputs; i++) sum += (x.data[row * inputs + i] ?? 0) * (w.data[i * outputs + o] ?? 0);
    return sum;
  });
}

/** Both have the same rank; the second may have axes of 1. */
function pairTwin(op: string, a: Meant, b: Meant): Float64Array {
  return Float64Array.from({ length: a.data.length }, (_, i) => {
    const at = places(i, a.dims).map((place, d) => (b.dims[d] === 1 ? 0 : place));
    const other = b.data[at.reduce((flat, place, d) => flat * (b.dims[d] ?? 1) + place, 0)] ?? Number.NaN;
    const own = a.data[i] ?? Number.NaN;
    return op === 'Add' ? own + other : own * other;
  });
}

/** Windows of 2 by 2 that do not overlap. */
function poolTwin(node: Node, { dims, data }: Meant): Float64Array {
  if (String(intsAttribute(node, 'strides')) !== '2,2') throw new Error('another pool');
  const [height = 0, width = 0] = dims.slice(2);
  const planes = data.length / (height * width);
  const result: number[] = [];
  for (let p = 0; p < planes; p++) {
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) {
        const at = (dy: number, dx: number): number =>
          data[(p * height + y + dy) * width + x + dx] ?? Number.NaN;
        result.push((at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4);
      }
    }
  }
  return Float64Array.from(result);
}

function meanTwin({ dims, data }: Meant): Float64Array {
  const plane = dims.slice(2).reduce((a, b) => a * b, 1);
  return Float64Array.from({ length: data.length / plane }, (_, c) => {
    let sum = 0;
    for (let i = 0; i < plane; i++) sum += data[c * plane + i] ?? Number.NaN;
    return sum / plane;
  });
}

function concatTwin(parts: readonly Meant[]): Float64Array {
  const batch = parts[0]?.dims[0] ?? 0;
  const rows = Array.from({ length: batch }, (_, n) =>
    parts.flatMap(({ data }) => {
      const length = data.length / batch;
      return Array.from({ length }, (_unused, i) => data[n * length + i] ?? Number.NaN);
    }),
  );
  return Float64Array.from(rows.flat());
}
