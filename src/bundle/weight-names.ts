// Names of the tensors in a bundle's weights file.

/**
 * A layer as its tables name it: one whose name would read as a variant's gets a `=` in front, as does one that begins
 * so already.
 */
const tableName = (layer: string): string => (/^=*variant(\/|$)/.test(layer) ? `=${layer}` : layer);
const layerOfTable = (name: string): string => (/^=+variant(\/|$)/.test(name) ? name.slice(1) : name);

/** Weight of a layer, repaired for its input groups at `level` (above 0). Laid out as the node's in the model. */
export const tableWeight = (layer: string, level: number): string => `${tableName(layer)}/${level}/weight`;
/** Bias of a layer, repaired for its input groups at `level` (above 0). */
export const tableBias = (layer: string, level: number): string => `${tableName(layer)}/${level}/bias`;

/** Correction of variant `index`: a factor for each kept output channel of each layer, in the manifest's order. */
export const variantScale = (index: number): string => `variant/${index}/scale`;
/** Correction of variant `index`: what is added after the factor. */
export const variantShift = (index: number): string => `variant/${index}/shift`;
/** Correction of variant `index`, optional: weight and bias of the last layer, instead of its table's. */
export const variantHeadWeight = (index: number): string => `variant/${index}/head/weight`;
export const variantHeadBias = (index: number): string => `variant/${index}/head/bias`;
/** Correction of variant `index`, optional: a change of low rank of a layer's weight, its two factors. */
export const variantDown = (index: number, layer: string): string => `variant/${index}/down/${layer}`;
export const variantUp = (index: number, layer: string): string => `variant/${index}/up/${layer}`;

/**
 * Correction of variant `index`, optional: weights of a recurrent layer (`weight`, `recurrence` or `bias`), instead of the
 * model's own.
 */
export const variantRecurrent = (index: number, layer: string, part: string): string =>
  `variant/${index}/recurrent/${layer}/${part}`;

/** Whether a tensor is a recurrent layer's in a correction. */
export const isRecurrentPart = (tensor: string): boolean => RECURRENT.test(tensor);
const RECURRENT = /^variant\/\d+\/recurrent\/(.+)\/(weight|recurrence|bias)$/s;

/** Ranges of activations for eight bits at the levels of variant `index`, `[values, 2]`. */
export const variantRanges = (index: number): string => `variant/${index}/ranges`;

/** All tensors of a variant. */
export const isOfVariant = (tensor: string, index: number): boolean => tensor.startsWith(`variant/${index}/`);

/** The layer that a tensor is for; undefined for what concerns all of them. */
export function layerOf(tensor: string, last: string | undefined): string | undefined {
  const [, recurrent] = RECURRENT.exec(tensor) ?? [];
  if (recurrent !== undefined) return recurrent;
  const [, kind, layer] = /^variant\/\d+\/(?:(down|up)\/(.+)|.*)$/s.exec(tensor) ?? [];
  if (kind) return layer;
  if (/^variant\/\d+\/head\//.test(tensor)) return last;
  return layerOfTable(tensor.split('/').slice(0, -2).join('/'));
}
