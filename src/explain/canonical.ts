// The form of a model that explaining and pruning work on.
import { canonicalGraph, foldBatchNorm, type Model } from '../onnx/index.ts';

/**
 * Constants and shape arithmetic folded, every node named, batch normalisation merged into its neighbours where that
 * is exact (canonisation in the words of Anders et al., 2021). Outputs stay equal within float rounding.
 */
export function canonicalModel(model: Model): Model {
  return canonicalGraph(foldBatchNorm(canonicalGraph(model)));
}
