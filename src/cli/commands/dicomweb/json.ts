// What became of an archive's studies, for programs.
import type { StudiesResult } from '../../../app/interop/answer-studies.ts';

/** The fields of `--json`. */
export function studiesJson({
  studies,
  answered,
  already,
  passedOver,
  failed,
  images,
  heatMaps,
  fhir,
  hl7,
}: StudiesResult): object {
  const states = { ...(fhir ? { fhir } : {}), ...(hl7 ? { hl7 } : {}) };
  return { studies, answered, already, passedOver, failed, images, heatMaps, ...states };
}
