// Names of the tensors in a bundle's weights file.

/** Weight of a layer, repaired for its input groups at `level` (above 0). Laid out as the node's in the model. */
export const tableWeight = (layer: string, level: number): string => `${layer}/${level}/weight`;
/** Bias of a layer, repaired for its input groups at `level` (above 0). */
export const tableBias = (layer: string, level: number): string => `${layer}/${level}/bias`;

/** Correction of variant `index`: a factor for each kept output channel of each layer, in the manifest's order. */
export const variantScale = (index: number): string => `variant/${index}/scale`;
/** Correction of variant `index`, optional: weight and bias of the last layer, instead of its table's. */
export const variantHeadWeight = (index: number): string => `variant/${index}/head/weight`;
export const variantHeadBias = (index: number): string => `variant/${index}/head/bias`;
/** Correction of variant `index`: what is added after the factor. */
export const variantShift = (index: number): string => `variant/${index}/shift`;
