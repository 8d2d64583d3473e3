// What `quantize` wrote, for programs.
import type { QuantizeResult } from '../../../app/quantize/quantize.ts';

/** The fields of `--json`. */
export function quantizedJson(result: QuantizeResult): object {
  const { model: _, labelled: __, remarks: ___, skipped: ____, signals: _____, ...fields } = result;
  return fields;
}
