// Post-training quantisation to eight bits: networks with integer layers in QDQ form, from a few unlabelled samples.

export type { ValueScale } from '../util/internal.ts';
export type { LayerQuantization } from './fit-layers.ts';
export type { QuantizedLayer, QuantizedWeights } from './integers.ts';
export type { KeptFloat } from './places.ts';
export {
  DEFAULT_BUDGET,
  type QuantizedModel,
  type QuantizeOptions,
  quantizeModel,
} from './quantize-model.ts';
export type { RangeMethod } from './ranges.ts';
export { saturates } from './saturates.ts';
export type { QuantizationTables } from './write.ts';
