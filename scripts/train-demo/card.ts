// The model card written beside the trained model: how it was made and what was measured.
import { formatBytes, formatCount, formatPercent } from '../../src/util/index.ts';
import type { Architecture } from './network.ts';
import type { Schedule } from './train.ts';

/** Everything the card states. */
export interface CardFacts {
  readonly seed: number;
  readonly perClass: number;
  readonly schedule: Schedule;
  readonly net: Architecture;
  readonly parameters: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly classNames: readonly string[];
  readonly test: {
    readonly seed: number;
    readonly size: number;
    readonly accuracy: number;
    readonly recall: readonly number[];
    /** Counts by label (row) and answer (column). */
    readonly confusion: readonly (readonly number[])[];
  };
}

const MEANING: Readonly<Record<string, string>> = {
  N: 'normal, bundle branch block',
  S: 'supraventricular premature',
  V: 'ventricular premature',
  F: 'fusion of ventricular and normal',
  Q: 'paced',
};

/** The card as Markdown. */
export function modelCard(facts: CardFacts): string {
  const { net, schedule, test, classNames } = facts;
  const rows = classNames.map(
    (name, i) =>
      `| ${i} | ${name} | ${MEANING[name] ?? ''} | ${formatPercent(test.recall[i] ?? 0)} | ${test.confusion[i]?.join(' ')} |`,
  );
  return `# Models

## ecg-demo.onnx
A small residual 1-D network that tells five kinds of single-lead ECG beats apart. \`bedside demo\` explains and prunes
it. It knows synthetic beats only and is **no medical device**: do not read real recordings with it.

- Input \`input\` [batch, 1, 256]: 256 samples at 360 Hz around the R peak, [r - 100, r + 156), minus the window's mean,
  over its standard deviation + 1e-6. Output \`logits\` [batch, ${net.classes}].
- Layers: convolution ${net.stem.kernel} wide, stride 2, ${net.stem.channels} channels; ${net.blocks.length} residual blocks of two convolutions ${net.kernel} wide and a 1 x 1
  shortcut, stride 2, ${net.blocks.join(' / ')} channels; mean over time; linear. No normalisation layers. ONNX opset 17.
- ${formatCount(facts.parameters)} parameters, ${formatBytes(facts.bytes)}, SHA-256 \`${facts.sha256}\`.

| label | class | meaning | recall | answered N S V F Q |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

Test accuracy **${formatPercent(test.accuracy)}** (ONNX Runtime, ${test.size} beats, balanced, generated with seed ${test.seed}, split \`test\`; none was trained on).

Made by \`npm run train-demo -- --seed ${facts.seed}\` in five to ten minutes on one core: ${facts.perClass} generated beats of each class (seed
${facts.seed}, split \`local\`), ${schedule.epochs} epochs of batches of ${schedule.batch}, Adam with weight decay ${schedule.decay}, learning rate ${schedule.rate} falling as a cosine.
The beats come from the dynamical model of McSharry, Clifford, Tarassenko and Smith (IEEE Trans. Biomed. Eng. 50(3),
2003), see \`src/data/synthetic/ecg-dynamics.ts\` and \`src/data/synthetic/ecg-beats.ts\`. A run with the same seed and the same versions on
the same machine writes the same file, byte for byte.

Licence: MIT, as the rest of this package; weights and training data are its own and hold no recordings of people.
`;
}
