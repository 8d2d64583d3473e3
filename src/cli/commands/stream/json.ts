// The summary of a stream as the JSON object of --json.
import type { StreamResult } from '../../../app/stream/events.ts';

/** The fields of the contract, and those of each bed. */
export function streamedJson({ remarks: _, skipped: __, signals: ___, ...result }: StreamResult): object {
  return { ...result, heartRate: result.heartRate ?? null };
}
