// A criterion is a function from a model and calibration samples to one score for each channel of each weighted layer.
import type { Targets } from '../data/internal.ts';
import type { EngineSettings } from '../engine/internal.ts';
import type { Model } from '../onnx/index.ts';
import type { Random, ScoreForm } from '../util/internal.ts';
import type { Aggregation } from './aggregate.ts';

/** Scores of one weighted layer's output channels; higher means more important. */
export interface LayerScores {
  /** The node's name in the canonical model. */
  readonly layer: string;
  /** One finite score a channel. */
  readonly scores: Float64Array;
  /** The other criterion that gave some of these scores, where the requested one says nothing about the layer. */
  readonly standIn?: string;
}

/** Calibration samples. Where labels are missing, the predicted class takes their place. */
export interface CalibrationSet {
  /** `[count, ...sampleShape]`, row-major. */
  readonly samples: Float32Array;
  readonly count: number;
  readonly sampleShape: readonly number[];
  /** One class index for each sample. */
  readonly labels: Int32Array | undefined;
  /** Labels, values or masks of tasks without classes, one a sample. */
  readonly targets?: Targets | undefined;
  /** What the scores are for; default one of several classes. */
  readonly form?: ScoreForm | undefined;
  /** Weight of each sample, zero or more; all alike when absent. */
  readonly weights?: Float64Array;
}

/**
 * What is explained of a sample. Of a classifier: each sample's label (the predicted class where there is none), its predicted class, or a class
 * prior `[classes]`. Of other tasks: what its labels or targets have, or what the network finds (docs/tasks.md).
 */
export type Target = 'label' | 'predicted' | Float32Array;

/** The network, samples and settings that a criterion gets. */
export interface CriterionContext extends EngineSettings {
  /** The canonical model (constants folded, batch normalisation merged). */
  readonly model: Model;
  /** The same model before batch normalisation was merged, with the same layer names, for criteria that read it. */
  readonly unmerged?: Model;
  /** Name of the model in messages. */
  readonly modelName: string;
  readonly calibration: CalibrationSet;
  readonly random: Random;
  readonly target: Target;
  /** How samples are combined; each criterion has its own default. */
  readonly aggregation?: Aggregation;
  /** For a comparison with other criteria alone: those that solve systems may read fewer places. */
  readonly quick?: boolean;
  /** Called with the number of samples done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A named way to score channels. Adding one is one file of data and a line in the table of `registry.ts`. */
export interface Criterion {
  readonly name: string;
  /** From explainable AI, or a reference from the pruning literature. */
  readonly family: 'xai' | 'reference';
  /** One line for `--help`. */
  readonly summary: string;
  /** The paper it comes from. */
  readonly source: string;
  /** Whether it is meant for networks that are repaired after pruning; default false. */
  readonly forRepair?: boolean;
  /** Whether it reads calibration samples. */
  readonly needsSamples: boolean;
  /** Scores in execution order, one entry for every weighted layer. */
  score(context: CriterionContext): Promise<LayerScores[]>;
}
