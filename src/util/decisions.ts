// What a network decides by its scores: a class, a set of labels, a mask.
import { BedsideError } from './errors.ts';
import { argmax } from './finite.ts';
import type { TaskKind } from './task.ts';

/** The form of a network's scores, and what they are for. */
export interface ScoreForm {
  readonly task: TaskKind;
  /** Shape of one sample's output, without the batch axis; `[]` for an output `[batch]`. */
  readonly outputShape: readonly number[];
  /** The number of values of one sample's output. */
  readonly scores: number;
  /**
   * The number of classes of a single label, 2 of a binary one, of labels of several, of classes of a mask (2 for one
   * channel), of values otherwise.
   */
  readonly classes: number;
  /** Whether classes exclude each other, so that the highest score decides; otherwise each score by its threshold. */
  readonly exclusive: boolean;
  /** Whether the output is a sigmoid's or softmax's (threshold 0.5), and not a logit (threshold 0). */
  readonly probabilities: boolean;
}

/** The value above which a score counts as yes: 0.5 of a probability, 0 of a logit. */
export function thresholdOf({ probabilities }: Pick<ScoreForm, 'probabilities'>): number {
  return probabilities ? 0.5 : 0;
}

/** Whether each score is held against the threshold, and not against the others. */
export function usesThreshold({ task, exclusive }: Pick<ScoreForm, 'task' | 'exclusive'>): boolean {
  return (task === 'binary' || task === 'multi-label' || task === 'segmentation') && !exclusive;
}

/** The number of channels of scores at positions: 1 where the output has no channel axis. */
export function channelsOf({ outputShape }: Pick<ScoreForm, 'outputShape'>): number {
  return outputShape.length > 1 ? (outputShape[0] as number) : 1;
}

/**
 * One class for each row of scores: the highest score (the lowest index among equals), or 1 above the threshold and 0
 * otherwise for a single score.
 * @throws BedsideError E_NOT_FINITE, naming the row by `whose`
 */
export function predictedClasses(
  form: ScoreForm,
  scores: Float32Array,
  whose: (row: number) => string,
): Int32Array {
  const threshold = thresholdOf(form);
  return Int32Array.from({ length: scores.length / form.scores }, (_, i) => {
    const highest = argmax(scores, i * form.scores, form.scores, whose(i));
    return form.task === 'binary' ? Number((scores[i] as number) > threshold) : highest;
  });
}

/** 1 where a score is above the threshold, else 0. */
export function yesOrNo(form: Pick<ScoreForm, 'probabilities'>, scores: Float32Array): Uint8Array {
  const threshold = thresholdOf(form);
  return Uint8Array.from(scores, (score) => Number(score > threshold));
}

/**
 * Masks as 0 and 1, `[n, channels, ...positions]`: of exclusive classes the highest score at each position (the first
 * among equals), otherwise every score above the threshold.
 */
export function foundMasks(form: ScoreForm, scores: Float32Array): Uint8Array {
  if (!form.exclusive) return yesOrNo(form, scores);
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const masks = new Uint8Array(scores.length);
  for (let first = 0; first < scores.length; first += form.scores) {
    for (let at = 0; at < positions; at++) {
      let best = first + at;
      for (let i = best + positions; i < first + form.scores; i += positions) {
        if ((scores[i] as number) > (scores[best] as number)) best = i;
      }
      masks[best] = 1;
    }
  }
  return masks;
}

/**
 * Masks of the data in the layout of `foundMasks`. They may hold the class of each position, or a mask for each channel.
 * @throws BedsideError E_DATA_FIT for masks of another size, or classes that the network does not have
 */
export function trueMasks(form: ScoreForm, masks: ArrayLike<number>, size: number, name: string): Uint8Array {
  const channels = channelsOf(form);
  const positions = form.scores / channels;
  const each = masks.length / size;
  if (each === form.scores) return Uint8Array.from(masks, (value) => (value ? 1 : 0));
  if (each !== positions || !form.exclusive) {
    throw new BedsideError(
      'E_DATA_FIT',
      `${name}: a mask has ${each} values, and the network gives [${form.outputShape.join(', ')}]`,
      { hint: 'a mask holds the class of each position, or 0 and 1 for each channel and position' },
    );
  }
  const result = new Uint8Array(size * form.scores);
  for (let i = 0; i < masks.length; i++) {
    const label = masks[i] as number;
    if (!Number.isInteger(label) || label < 0 || label >= channels) {
      throw new BedsideError(
        'E_DATA_FIT',
        `${name}: a mask has the value ${label}, not a class from 0 to ${channels - 1}`,
        {
          hint: 'a mask holds the number of the class of each position',
        },
      );
    }
    result[Math.floor(i / positions) * form.scores + label * positions + (i % positions)] = 1;
  }
  return result;
}
