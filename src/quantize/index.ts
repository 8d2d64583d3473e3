// Post-training quantisation to eight bits: networks with integer layers in QDQ form, from a few unlabelled samples.

export {
  DEFAULT_BUDGET,
  type QuantizedModel,
  type QuantizeOptions,
  quantizeModel,
} from './quantize-model.ts';
