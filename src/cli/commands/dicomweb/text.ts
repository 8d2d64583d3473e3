// What became of an archive's studies, for people.
import type { StudiesResult } from '../../../app/interop/answer-studies.ts';
import { formatCount } from '../../../util/index.ts';
import { describeDeliveries } from '../../terminal/delivery.ts';

/** A few lines. */
export function describeStudies(result: StudiesResult): string {
  const { studies, answered, already, passedOver, failed, images, heatMaps } = result;
  const reasons = Object.entries(failed).map(([code, count]) => `${count} ${code}`);
  return [
    `${formatCount(studies)} studies: ${answered} answered (${images} images, ${heatMaps} heat maps), ${already} had a report`,
    ...(passedOver > 0 ? [`  ${passedOver} without an image that is chosen`] : []),
    ...(reasons.length > 0 ? [`  not answered: ${reasons.join(', ')}`] : []),
    ...describeDeliveries(result).map((line) => `  ${line}`),
    'Reports are preliminary until a clinician confirms them.',
  ].join('\n');
}
