// The form of a model that explaining and pruning work on.

import type { Model } from '../graph.ts';
import { hasRecurrent, simplifyRecurrent } from '../recurrent/simplify.ts';
import { denseRows } from './dense-rows.ts';
import { einsumProducts } from './einsum-products.ts';
import { canonicalGraph } from './fold.ts';
import { foldBatchNorm } from './fold-batch-norm.ts';
import { foldBias } from './fold-bias.ts';
import { fuseLayerNorm } from './fuse-layer-norm.ts';

/**
 * Constants and shape arithmetic folded, every node named, batch normalisation merged into its neighbours where that is
 * exact (canonisation in the words of Anders et al., 2021), and constants added to each channel of a layer, or
 * multiplied with it, merged into the layer: a bias is the layer's, however it is written. Recurrent layers run in one
 * direction each, without initial states that are zero. Layer normalisation is one node, however it is written, and dense
 * layers over tokens beside it work on rows. Outputs stay equal within float rounding.
 */
export function canonicalModel(model: Model): Model {
  return canonicalGraph(
    denseRows(foldBias(foldBatchNorm(fuseLayerNorm(einsumProducts(unmergedModel(model)))))),
  );
}

/** The same before batch normalisation is merged, for criteria that read it. */
export function unmergedModel(model: Model): Model {
  const folded = canonicalGraph(model);
  return foldBias(hasRecurrent(folded.graph) ? canonicalGraph(simplifyRecurrent(folded)) : folded);
}
