// Which operators are linear, and the dense and elementwise ones as terms.
import { floatOf, intOf } from './attributes.ts';
import { moves } from './moves.ts';
import { broadcastDims, broadcastPosition, type Doubles, flatOf, positions } from './positions.ts';
import { type Linear, noBias, type Operation, type Term } from './terms.ts';
import { averagePool, conv, convTranspose, maxPool } from './windows.ts';

/** The outputs of a node as linear functions, or undefined for an operator that is not linear. */
export function linearOutputs(operation: Operation): Linear[] | undefined {
  const moved = moves(operation);
  if (moved) return moved;
  const one = LINEAR[operation.node.op];
  return one && [one(operation)];
}

const LINEAR: Readonly<Record<string, (operation: Operation) => Linear>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  Gemm: gemm,
  MatMul: matmul,
  Add: (operation) => sum(operation, 1),
  Sub: (operation) => sum(operation, -1),
  BatchNormalization: normalisation,
  MaxPool: maxPool,
  AveragePool: averagePool,
};

function gemm({ node, inputs }: Operation): Linear {
  const [x, w, c] = inputs as [Doubles, Doubles, Doubles | undefined];
  const [batch, features] = x.dims as [number, number];
  const turned = intOf(node, 'transB', 0) === 1;
  const channels = w.dims[turned ? 0 : 1] as number;
  const terms: Term[] = [];
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < channels; o++) {
      for (let i = 0; i < features; i++) {
        const weight = w.data[turned ? o * features + i : i * channels + o] as number;
        const at = n * features + i;
        terms.push({ out: n * channels + o, operand: 0, at, weight: floatOf(node, 'alpha', 1) * weight });
      }
    }
  }
  const beta = floatOf(node, 'beta', 1);
  const bias = (out: number): number =>
    c ? beta * (c.data[c.data.length === 1 ? 0 : out % channels] as number) : 0;
  return { dims: [batch, channels], terms, bias };
}

/** `[..., features] x [features, channels]`. */
function matmul({ inputs }: Operation): Linear {
  const [x, w] = inputs as [Doubles, Doubles];
  const [features, channels] = w.dims as [number, number];
  const rows = x.data.length / features;
  const terms: Term[] = [];
  for (let r = 0; r < rows; r++) {
    for (let o = 0; o < channels; o++) {
      for (let i = 0; i < features; i++) {
        const weight = w.data[i * channels + o] as number;
        terms.push({ out: r * channels + o, operand: 0, at: r * features + i, weight });
      }
    }
  }
  return { dims: [...x.dims.slice(0, -1), channels], terms, bias: noBias };
}

function sum({ inputs }: Operation, sign: 1 | -1): Linear {
  const [a, b] = inputs as [Doubles, Doubles];
  const dims = broadcastDims(a.dims, b.dims);
  const terms = positions(dims).flatMap((position, out): Term[] => [
    { out, operand: 0, at: flatOf(broadcastPosition(position, a.dims), a.dims), weight: 1 },
    { out, operand: 1, at: flatOf(broadcastPosition(position, b.dims), b.dims), weight: sign },
  ]);
  return { dims, terms, bias: noBias };
}

function normalisation({ node, inputs }: Operation): Linear {
  const [x, gamma, beta, mean, variance] = inputs as [Doubles, Doubles, Doubles, Doubles, Doubles];
  const epsilon = floatOf(node, 'epsilon', 1e-5);
  const channelOf = positions(x.dims).map((position) => position[1] as number);
  const scale = (out: number): number => {
    const c = channelOf[out] as number;
    return (gamma.data[c] as number) / Math.sqrt((variance.data[c] as number) + epsilon);
  };
  return {
    dims: x.dims,
    terms: channelOf.map((_, out) => ({ out, operand: 0, at: out, weight: scale(out) })),
    bias: (out) => {
      const c = channelOf[out] as number;
      return (beta.data[c] as number) - scale(out) * (mean.data[c] as number);
    },
  };
}
