// The heat map of an answered image, as pixels.
import type { RgbPicture } from '../../interop/internal.ts';
import { relevanceOverlay } from '../../report/index.ts';
import type { AnswerForm } from '../explain/answers.ts';
import type { AnsweredImageScores } from './answerer.ts';

/** Undefined where there is no relevance. */
export function heatMapOf({ inputs }: AnswerForm, answer: AnsweredImageScores): RgbPicture | undefined {
  const [input] = inputs;
  if (!answer.relevance || !input) return undefined;
  const [a = 1, b = 1, c = 1] = input.shape;
  if (!input.channelsLast) {
    return relevanceOverlay({ shape: input.shape, sample: answer.sample, relevance: answer.relevance });
  }
  const first = (values: Float32Array): Float32Array => {
    const out = new Float32Array(values.length);
    for (let i = 0; i < a * b; i++) for (let k = 0; k < c; k++) out[k * a * b + i] = values[i * c + k] ?? 0;
    return out;
  };
  return relevanceOverlay({
    shape: [c, a, b],
    sample: first(answer.sample),
    relevance: first(answer.relevance),
  });
}
