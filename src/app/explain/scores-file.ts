// Scores of channels as a file: .npz for NumPy, .json for everything else.
import { extname } from 'node:path';
import { type NpyArray, npyArray, writeNpz } from '../../data/index.ts';
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import type { Explanation } from './explanation.ts';
import type { SampleScores } from './sample-scores.ts';

/**
 * The format that a file name asks for.
 * @throws BedsideError E_USAGE for other endings
 */
export function scoresFormat(path: string): 'npz' | 'json' {
  const extension = extname(path).toLowerCase();
  if (extension === '.npz') return 'npz';
  if (extension === '.json') return 'json';
  throw new BedsideError('E_USAGE', `--out ${path}: expected a name that ends in .npz or .json`, {
    hint: '.npz is for NumPy, .json for everything else',
  });
}

/**
 * Writes the scores. An .npz holds arrays layer00, layer01, ... in execution order; with values per sample they are
 * `[samples, channels]`, and `_targets` holds the explained classes.
 * @throws BedsideError E_USAGE for other endings; E_OUTPUT
 */
export async function writeScores(path: string, explanation: Explanation): Promise<void> {
  const content =
    scoresFormat(path) === 'npz'
      ? writeNpz(scoreArrays(explanation))
      : `${JSON.stringify(explanationJson(explanation))}\n`;
  await writeFileAtomic(path, content);
}

/** An explanation as a JSON object. Values per sample, if there are any, take the place of the scores. */
export function explanationJson(explanation: Explanation): object {
  const { criterion, target, samples, msPerSample, forwardMsPerSample } = explanation;
  const { heatmaps, scoreRemarks, perSample, layers } = explanation;
  return {
    criterion,
    target,
    samples,
    msPerSample,
    forwardMsPerSample,
    ...(heatmaps ? { heatmaps } : {}),
    ...(scoreRemarks ? { scoreRemarks } : {}),
    layers: perSample ? perSampleRows(perSample) : layers,
  };
}

function scoreArrays({ layers, perSample }: Explanation): Record<string, NpyArray> {
  const key = (index: number): string => `layer${String(index).padStart(2, '0')}`;
  if (!perSample) {
    return Object.fromEntries(
      layers.map(({ scores }, i) => [key(i), npyArray([scores.length], Float64Array.from(scores))]),
    );
  }
  const { samples, targets } = perSample;
  return {
    ...Object.fromEntries(
      perSample.layers.map(({ channels, values }, i) => [key(i), npyArray([samples, channels], values)]),
    ),
    _targets: npyArray([samples], targets),
  };
}

function perSampleRows({ layers, samples }: SampleScores) {
  return layers.map(({ name, channels, values }) => ({
    name,
    scores: Array.from({ length: samples }, (_, i) =>
      Array.from(values.subarray(i * channels, (i + 1) * channels)),
    ),
  }));
}
