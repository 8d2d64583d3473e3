// The transpose of a strided convolution as one convolution of stride 1 for all phases of the input's positions, whose
// results are then interleaved. ConvTranspose of ONNX Runtime takes two to five times as long on a CPU.
import type { GraphBuilder } from '../builder.ts';
import { floatConstant, int, ints, sizeOf } from '../graph.ts';
import type { ConvParameters } from '../shapes/window.ts';
import type { WeightedLayer } from './weighted-layer.ts';

/** One axis: input position `stride * t + phase` reads outputs `t + first ... t + first + taps - 1`. */
interface PhaseAxis {
  readonly stride: number;
  readonly taps: number;
  /** Positions of each phase. */
  readonly length: number;
  readonly pads: readonly [number, number];
  /** The kernel element at each phase and tap; -1 where there is none. */
  readonly elements: readonly (readonly number[])[];
}

/**
 * Adds the transpose of a convolution with strides: the sum over terms, each shaped like the layer's output. Undefined
 * where the form does not fit (no strides, dilations, windows that begin behind the input) or would not be faster (other kernels no
 * wider than their stride than those of one point).
 */
export function stridedTranspose(
  builder: GraphBuilder,
  layer: WeightedLayer,
  terms: readonly { readonly s: string; readonly weight: Float32Array }[],
  hint: string,
): string | undefined {
  const { conv } = layer;
  if (!conv || conv.strides.every((stride) => stride === 1)) return undefined;
  const inputs = layer.inputShape.slice(2);
  const channels = layer.inputShape[1] as number;
  const isPoint = [...conv.kernel, ...conv.padsBegin.map((pad) => pad + 1)].every((size) => size === 1);
  const axes = inputs.map((length, i) =>
    isPoint
      ? pointAxis(conv.strides[i] ?? 1, layer.outputShape[2 + i] as number)
      : phaseAxis(conv, i, length, layer.outputShape[2 + i] as number),
  );
  if (!axes.every((axis) => axis !== undefined)) return undefined;
  const phases = isPoint ? 1 : sizeOf(axes.map(({ stride }) => stride));
  const dims = [channels * phases, layer.channels / conv.groups, ...axes.map(({ taps }) => taps)];
  const attributes = {
    kernel_shape: ints(axes.map(({ taps }) => taps)),
    pads: ints([...axes.map(({ pads }) => pads[0]), ...axes.map(({ pads }) => pads[1])]),
    group: int(conv.groups),
  };
  const apart = terms
    .map(({ s, weight }) => {
      const data = floatConstant(phaseWeights(layer, conv, axes, weight), dims);
      return builder.node('Conv', [s, builder.constant(data, `${hint}_w`)], attributes, hint);
    })
    .reduce((sum, part) => builder.node('Add', [sum, part], {}, hint));
  const all = isPoint ? withEmptyPhases(builder, apart, axes, channels, hint) : apart;
  const whole = interleaved(builder, all, axes, channels, hint);
  const covered = axes.map(({ length, stride }) => length * stride);
  return cut(builder, whole, covered, inputs, hint);
}

/** `[batch, channels, ...positions]` with zeros for the phases that a kernel of one point does not meet. */
function withEmptyPhases(
  builder: GraphBuilder,
  value: string,
  axes: readonly PhaseAxis[],
  channels: number,
  hint: string,
): string {
  // Zeros behind whole rows: behind each position they would take eight times as long.
  const row = sizeOf(axes.map(({ length }) => length));
  const open = builder.node('Reshape', [value, builder.ints([-1, channels, 1, row])], {}, hint);
  const pads = [0, 0, 0, 0, 0, 0, sizeOf(axes.map(({ stride }) => stride)) - 1, 0];
  return builder.node('Pad', [open, builder.ints(pads)], {}, hint);
}

/** Positions that the strides give beyond the input are cut off; those that no window reaches are zero. */
function cut(
  builder: GraphBuilder,
  value: string,
  given: readonly number[],
  wanted: readonly number[],
  hint: string,
): string {
  const longer = wanted.map((_, i) => i).filter((i) => (given[i] as number) > (wanted[i] as number));
  const shorter = wanted.map((size, i) => Math.max(0, size - (given[i] as number)));
  const bounds = [
    builder.ints(longer.map(() => 0)),
    builder.ints(longer.map((i) => wanted[i] as number)),
    builder.ints(longer.map((i) => i + 2)),
  ];
  const within = longer.length === 0 ? value : builder.node('Slice', [value, ...bounds], {}, hint);
  if (shorter.every((missing) => missing === 0)) return within;
  const pads = [0, 0, ...wanted.map(() => 0), 0, 0, ...shorter];
  return builder.node('Pad', [within, builder.ints(pads)], {}, hint);
}

/** `[batch, channels x phases, ...positions]` to `[batch, channels, ...positions of all phases]`. */
function interleaved(
  builder: GraphBuilder,
  value: string,
  axes: readonly PhaseAxis[],
  channels: number,
  hint: string,
): string {
  const strides = axes.map(({ stride }) => stride).filter((stride) => stride > 1);
  const open = [-1, channels, ...strides, ...axes.map(({ length }) => length)];
  // Each axis of positions, with its phases behind it.
  let phase = 2;
  const order = [0, 1];
  axes.forEach(({ stride }, i) => {
    order.push(2 + strides.length + i);
    if (stride > 1) order.push(phase++);
  });
  const split = builder.node('Reshape', [value, builder.ints(open)], {}, hint);
  const turned = builder.node('Transpose', [split], { perm: ints(order) }, hint);
  const whole = [-1, channels, ...axes.map(({ length, stride }) => length * stride)];
  return builder.node('Reshape', [turned, builder.ints(whole)], {}, hint);
}

/** An axis of a kernel of one point: one phase alone. */
function pointAxis(stride: number, length: number): PhaseAxis {
  return { stride, taps: 1, length, pads: [0, 0], elements: [[0]] };
}

function phaseAxis(
  conv: ConvParameters,
  i: number,
  inputLength: number,
  outputLength: number,
): PhaseAxis | undefined {
  const [kernel, stride, pad] = [conv.kernel[i] ?? 1, conv.strides[i] ?? 1, conv.padsBegin[i] ?? 0];
  if (conv.dilations[i] !== undefined && conv.dilations[i] !== 1) return undefined;
  if (kernel <= stride && stride > 1) return undefined;
  // Position stride * t + phase meets kernel element e in window t + floor((phase + pad) / stride) - floor(e / stride),
  // where e and phase + pad are equal modulo the stride.
  const offset = (phase: number, e: number): number =>
    Math.floor((phase + pad) / stride) - Math.floor(e / stride);
  const meets = (phase: number): number[] =>
    Array.from({ length: kernel }, (_, e) => e).filter((e) => e % stride === (phase + pad) % stride);
  const phases = Array.from({ length: stride }, (_, phase) => phase);
  const offsets = phases.flatMap((phase) => meets(phase).map((e) => offset(phase, e)));
  const first = Math.min(...offsets);
  const taps = Math.max(...offsets) - first + 1;
  const length = Math.ceil(inputLength / stride);
  const pads = [-first, length - outputLength + first + taps - 1] as const;
  if (pads.some((value) => value < 0)) return undefined;
  const elements = phases.map((phase) => {
    const row = new Array<number>(taps).fill(-1);
    for (const e of meets(phase)) row[offset(phase, e) - first] = e;
    return row;
  });
  return { stride, taps, length, pads, elements };
}

/** `[out, in/g, ...kernel]` to `[in x phases, out/g, ...taps]`. */
function phaseWeights(
  layer: WeightedLayer,
  conv: ConvParameters,
  axes: readonly PhaseAxis[],
  weight: Float32Array,
): Float32Array {
  const { groups, kernel } = conv;
  const [out, inPerGroup] = layer.weightDims as [number, number];
  const outPerGroup = out / groups;
  const size = sizeOf(kernel);
  const from = sources(axes, kernel);
  const taps = sizeOf(axes.map((axis) => axis.taps));
  const phases = from.length / taps;
  const result = new Float32Array(out * inPerGroup * from.length);
  for (let g = 0; g < groups; g++) {
    for (let c = 0; c < inPerGroup; c++) {
      for (let p = 0; p < phases; p++) {
        for (let o = 0; o < outPerGroup; o++) {
          const to = (((g * inPerGroup + c) * phases + p) * outPerGroup + o) * taps;
          const at = ((g * outPerGroup + o) * inPerGroup + c) * size;
          for (let t = 0; t < taps; t++) {
            const e = from[p * taps + t] as number;
            if (e >= 0) result[to + t] = weight[at + e] as number;
          }
        }
      }
    }
  }
  return result;
}

/** For each phase and tap, both row-major over the axes: the kernel element, or -1. */
function sources(axes: readonly PhaseAxis[], kernel: readonly number[]): number[] {
  let found: number[][] = [[0]];
  axes.forEach(({ elements }, i) => {
    found = found.flatMap((row) =>
      elements.map((phase) =>
        row.flatMap((element) =>
          phase.map((e) => (element < 0 || e < 0 ? -1 : element * (kernel[i] as number) + e)),
        ),
      ),
    );
  });
  return found.flat();
}
