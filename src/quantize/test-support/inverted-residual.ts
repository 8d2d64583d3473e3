// A depthwise network whose channels have ranges far apart.
import { Net } from '../../channels/test-support/net.ts';
import { canonicalModel, type Model } from '../../onnx/index.ts';
import { floatConstant, sizeOf } from '../../onnx/internal.ts';

/**
 * An inverted residual block as in MobileNet. Channels of both hidden values are powers of two larger or smaller than their
 * neighbours, and the layer behind makes up for it.
 * @param spread the standard deviation of those powers
 */
export function invertedResidual(spread: number, clipped: boolean, seed: number): Model {
  const net = new Net([3, 8, 8], seed);
  const act = (x: string): string =>
    clipped ? net.op('Clip', [x, net.scalar(0), net.scalar(6)]) : net.relu(x);
  const powers = (): number[] => Array.from({ length: 24 }, () => 2 ** (spread * net.random.normal()));
  const weight = (dims: readonly number[], factorOf: (i: number) => number): string => {
    const scale = 1.4 / Math.sqrt(sizeOf(dims.slice(1)));
    const data = Float32Array.from(
      { length: sizeOf(dims) },
      (_, i) => net.random.normal() * scale * factorOf(i),
    );
    return net.builder.constant(floatConstant(data, dims), 'weight');
  };
  const [first, second] = [powers(), powers()];
  const at = (of: number[], c: number): number => of[c] ?? 1;
  const stem = act(net.conv('stem', net.input, 3, 8));
  const wide = weight([24, 8, 1, 1], (i) => at(first, Math.floor(i / 8)));
  const expand = act(net.conv('expand', stem, 8, 24, { kernel: 1, weight: wide, bias: false }));
  const own = weight([24, 1, 3, 3], (i) => at(second, Math.floor(i / 9)) / at(first, Math.floor(i / 9)));
  const depthwise = act(net.conv('depthwise', expand, 24, 24, { group: 24, weight: own, bias: false }));
  const narrow = weight([8, 24, 1, 1], (i) => 1 / at(second, i % 24));
  const project = net.conv('project', depthwise, 24, 8, { kernel: 1, weight: narrow });
  return canonicalModel(net.head(net.op('Add', [stem, project]), 8));
}
