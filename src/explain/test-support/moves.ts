// Operators that move values, and means, as explicit terms (see terms.ts).
import { intOf, intsInput, intsOf } from './attributes.ts';
import {
  broadcastDims,
  broadcastPosition,
  type Doubles,
  flatOf,
  positionOf,
  positions,
} from './positions.ts';
import { type Linear, noBias, type Operation, type Term } from './terms.ts';

/** The outputs of an operator that moves or averages values; undefined for any other. */
export function moves(operation: Operation): Linear[] | undefined {
  const { node, inputs, model } = operation;
  const [x] = inputs as [Doubles];
  switch (node.op) {
    case 'Identity':
    case 'Dropout':
      return [reshaped(x, x.dims)];
    case 'Flatten': {
      const axis = intOf(node, 'axis', 1);
      const rows = x.dims.slice(0, axis).reduce((a, b) => a * b, 1);
      return [reshaped(x, [rows, x.data.length / rows])];
    }
    case 'Reshape': {
      const asked = intsInput(model, node, 1) ?? [];
      const copied = asked.map((size, axis) => (size === 0 ? (x.dims[axis] as number) : size));
      const rest = x.data.length / copied.filter((size) => size > 0).reduce((a, b) => a * b, 1);
      const dims = copied.map((size) => (size < 0 ? rest : size));
      return [reshaped(x, dims)];
    }
    case 'Squeeze': {
      const axes = intsInput(model, node, 1)?.map((axis) => fromFront(axis, x.dims.length));
      return [
        reshaped(
          x,
          x.dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
        ),
      ];
    }
    case 'Unsqueeze': {
      const given = intsInput(model, node, 1) ?? [];
      const axes = given.map((axis) => fromFront(axis, x.dims.length + given.length)).sort((a, b) => a - b);
      const dims = [...x.dims];
      for (const axis of axes) dims.splice(axis, 0, 1);
      return [reshaped(x, dims)];
    }
    case 'Transpose': {
      const perm = intsOf(node, 'perm', x.dims.map((_, axis) => axis).reverse());
      const dims = perm.map((axis) => x.dims[axis] as number);
      return [taken(x, dims, (p) => x.dims.map((_, axis) => p[perm.indexOf(axis)] as number))];
    }
    case 'DepthToSpace':
      return [depthToSpace(x, intOf(node, 'blocksize', 1))];
    case 'Slice':
      return [slice(operation)];
    case 'Pad':
      return [pad(operation)];
    case 'Concat':
      return [concat(operation)];
    case 'Split':
      return split(operation);
    case 'GlobalAveragePool':
      return [
        mean(
          x,
          x.dims.slice(2).map((_, i) => i + 2),
          true,
        ),
      ];
    case 'ReduceMean': {
      const given = intsOf(
        node,
        'axes',
        x.dims.map((_, axis) => axis),
      );
      const axes = given.map((axis) => fromFront(axis, x.dims.length));
      return [mean(x, axes, intOf(node, 'keepdims', 1) === 1)];
    }
    case 'Expand':
      return [expand(operation)];
    case 'GlobalMaxPool':
      return [globalMax(x)];
    default:
      return undefined;
  }
}

function reshaped(x: Doubles, dims: readonly number[]): Linear {
  const terms = Array.from(x.data, (_, at): Term => ({ out: at, operand: 0, at, weight: 1 }));
  return { dims, terms, bias: noBias };
}

/** An output whose element at `p` is the input's at `from(p)`. */
function taken(x: Doubles, dims: readonly number[], from: (p: readonly number[]) => number[]): Linear {
  const terms = positions(dims).map(
    (p, out): Term => ({ out, operand: 0, at: flatOf(from(p), x.dims), weight: 1 }),
  );
  return { dims, terms, bias: noBias };
}

/** DCR order: depth is [block row, block column, channel]. */
function depthToSpace(x: Doubles, block: number): Linear {
  const [n, depth, height, width] = x.dims as [number, number, number, number];
  const channels = depth / (block * block);
  return taken(x, [n, channels, height * block, width * block], ([b, c, row, column]) => {
    const [r, k] = [row as number, column as number];
    const inBlock = (r % block) * block + (k % block);
    return [b as number, inBlock * channels + (c as number), Math.floor(r / block), Math.floor(k / block)];
  });
}

function slice({ model, node, inputs }: Operation): Linear {
  const [x] = inputs as [Doubles];
  const starts = intsInput(model, node, 1) ?? [];
  const ends = intsInput(model, node, 2) ?? [];
  const axes = (intsInput(model, node, 3) ?? starts.map((_, i) => i)).map((axis) =>
    fromFront(axis, x.dims.length),
  );
  const steps = intsInput(model, node, 4) ?? starts.map(() => 1);
  // Numpy's x[start:end:step]: the indices that a walk from start meets before end.
  const kept = x.dims.map((size, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return Array.from({ length: size }, (_, at) => at);
    const [step, start, end] = [steps[i] as number, starts[i] as number, ends[i] as number];
    const all: number[] = [];
    const from = start < 0 ? start + size : start;
    const to = end < 0 ? end + size : end;
    if (step > 0) for (let at = Math.max(0, from); at < Math.min(size, to); at += step) all.push(at);
    else for (let at = Math.min(size - 1, from); at > Math.max(-1, to); at += step) all.push(at);
    return all;
  });
  const dims = kept.map((list) => list.length);
  return taken(x, dims, (p) => p.map((at, axis) => kept[axis]?.[at] as number));
}

function pad({ model, node, inputs }: Operation): Linear {
  const [x, , value] = inputs as [Doubles, Doubles, Doubles | undefined];
  const pads = intsInput(model, node, 1) ?? [];
  const rank = x.dims.length;
  const dims = x.dims.map((size, axis) => size + (pads[axis] as number) + (pads[axis + rank] as number));
  const terms: Term[] = [];
  const filled = new Set<number>();
  x.data.forEach((_, at) => {
    const out = flatOf(
      positionOf(at, x.dims).map((place, axis) => place + (pads[axis] as number)),
      dims,
    );
    if (out < 0) return;
    terms.push({ out, operand: 0, at, weight: 1 });
    filled.add(out);
  });
  return { dims, terms, bias: (out) => (filled.has(out) ? 0 : (value?.data[0] ?? 0)) };
}

function concat({ node, inputs }: Operation): Linear {
  const first = inputs[0] as Doubles;
  const axis = fromFront(intOf(node, 'axis', 0), first.dims.length);
  const sizes = inputs.map((input) => input.dims[axis] as number);
  const dims = first.dims.map((size, i) => (i === axis ? sizes.reduce((a, b) => a + b, 0) : size));
  const terms = inputs.flatMap((input, operand) => {
    const offset = sizes.slice(0, operand).reduce((a, b) => a + b, 0);
    return positions(input.dims).map((p, at): Term => {
      const place = p.map((value, i) => (i === axis ? value + offset : value));
      return { out: flatOf(place, dims), operand, at, weight: 1 };
    });
  });
  return { dims, terms, bias: noBias };
}

function split({ model, node, inputs }: Operation): Linear[] {
  const [x] = inputs as [Doubles];
  const axis = fromFront(intOf(node, 'axis', 0), x.dims.length);
  const size = x.dims[axis] as number;
  const sizes = intsInput(model, node, 1) ?? node.outputs.map(() => size / node.outputs.length);
  let offset = 0;
  return sizes.map((part) => {
    const begin = offset;
    offset += part;
    const dims = x.dims.map((whole, i) => (i === axis ? part : whole));
    return taken(x, dims, (p) => p.map((at, i) => (i === axis ? at + begin : at)));
  });
}

function expand({ model, node, inputs }: Operation): Linear {
  const [x] = inputs as [Doubles];
  const dims = broadcastDims(x.dims, intsInput(model, node, 1) ?? []);
  return taken(x, dims, (p) => broadcastPosition(p, x.dims));
}

function mean(x: Doubles, axes: readonly number[], keep: boolean): Linear {
  const kept = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const weight = axes.reduce((share, axis) => share / (x.dims[axis] as number), 1);
  const terms = positions(x.dims).map((p, at): Term => {
    const place = p.map((value, axis) => (axes.includes(axis) ? 0 : value));
    return { out: flatOf(place, kept), operand: 0, at, weight };
  });
  return { dims: keep ? kept : x.dims.filter((_, axis) => !axes.includes(axis)), terms, bias: noBias };
}

function globalMax(x: Doubles): Linear {
  const [batch, channels] = x.dims as [number, number];
  const plane = x.data.length / (batch * channels);
  const terms = Array.from({ length: batch * channels }, (_, out): Term => {
    let at = out * plane;
    for (let i = at; i < (out + 1) * plane; i++) if ((x.data[i] as number) > (x.data[at] as number)) at = i;
    return { out, operand: 0, at, weight: 1 };
  });
  return { dims: [batch, channels, ...x.dims.slice(2).map(() => 1)], terms, bias: noBias };
}

function fromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
