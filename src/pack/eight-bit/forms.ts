// Which stages of a bundle have an eight-bit form, and which values it rounds.

import type { BundleStage, EightBitForm } from '../../bundle/internal.ts';
import type { Model } from '../../onnx/index.ts';
import { extractSubgraph } from '../../onnx/internal.ts';
import { eightBitPlaces } from '../../quantize/internal.ts';

/** Most reasons that one text names. */
const NAMED = 3;

/** The forms of all stages, before anything was measured. */
export function describeForms(model: Model, stages: readonly BundleStage[]): Omit<EightBitForm, 'loss'>[] {
  return stages.map(({ index, input, output, layers }) => {
    const part = extractSubgraph(model, [input], [output]);
    const places = eightBitPlaces(part);
    const own = places.layers.filter((name) => layers.includes(name));
    const received = index > 0 ? [input] : [];
    const values = own.length > 0 ? places.values : [];
    const kept = places.kept.slice(0, NAMED).map(({ name, reason }) => `${name}: ${reason}`);
    const none =
      own.length === 0 && kept.length === 0 ? ['no layer of this stage has weights of its own'] : kept;
    return {
      layers: own,
      values: [...new Set([...received, ...values])],
      ...(none.length > 0 ? { kept: none.join('; ') } : {}),
    };
  });
}
