// The result of every reader of recordings and images.
import type { TaskKind } from '../util/index.ts';
import type { InputContract } from './contract/contract.ts';
import type { SeriesChoice } from './dicom/series-choice.ts';

/** Data that was not read, for one reason. */
export interface PassedOver {
  readonly reason: string;
  readonly count: number;
  /** The first few, by name. */
  readonly examples: readonly string[];
}

/** What samples should give, where that is not one class each. */
export interface Targets {
  /** 0 or 1 for each label; numbers; or a mask: 0 or 1 for each position, or the class of each position. */
  readonly kind: 'labels' | 'values' | 'mask';
  /** Shape of one sample's target, without the batch axis. */
  readonly shape: readonly number[];
  /** `[size, ...shape]`, row-major. */
  readonly data: Float32Array | Uint8Array;
}

/** One of several inputs of a network, in the order in which they are packed into one. */
export interface InputPart {
  readonly name: string;
  /** Shape of one sample, without the batch axis. */
  readonly shape: readonly number[];
  /** The element type as ONNX numbers it. */
  readonly elemType: number;
}

/** What samples were read from. Of `dicom` there are images and recordings; recordings have a rate. */
export type DatasetKind = 'npz' | 'images' | 'wfdb' | 'edf' | 'dicom' | 'nifti' | 'synthetic';

/** Whether samples are windows of recordings. */
export function areRecordings({ kind, rate }: Pick<Dataset, 'kind' | 'rate'>): boolean {
  return kind === 'wfdb' || kind === 'edf' || (kind === 'dicom' && rate !== undefined);
}

/** Whether samples are pictures, of files of any format. */
export function areImages({ kind, rate }: Pick<Dataset, 'kind' | 'rate'>): boolean {
  return kind === 'images' || kind === 'nifti' || (kind === 'dicom' && rate === undefined);
}

/** Samples as a network reads them, all in memory. */
export interface Dataset {
  readonly kind: DatasetKind;
  /** The path or the generator, as the user would write it. */
  readonly name: string;
  /** Number of samples. */
  readonly size: number;
  /** Shape of one sample, without the batch axis. */
  readonly sampleShape: readonly number[];
  /** `[size, ...sampleShape]`, row-major. */
  readonly samples: Float32Array;
  /** For a network of several inputs: what stands in a sample, one after the other. */
  readonly inputs?: readonly InputPart[] | undefined;
  /** One class index a sample, or undefined when the data has no labels. */
  readonly labels: Int32Array | undefined;
  /** What samples should give, for tasks where that is not one class each; such data has no `labels`. */
  readonly targets?: Targets | undefined;
  /** The patient of each sample, where the data says so. */
  readonly patients?: readonly string[] | undefined;
  /** Whether whoever divides these samples divides patients. */
  readonly splitBy?: 'patient' | undefined;
  /** Names of the classes by index; `0`, `1`, ... where the data has none. */
  readonly classNames: readonly string[];
  /**
   * Where each sample comes from: the record of a beat, the file of an image; undefined where there is no such name.
   */
  readonly origins: readonly string[] | undefined;
  /** Files left out with `skipBad`, and why. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /**
   * The position of each sample in the data, whatever the selection and the split: the same number is the same sample.
   * Undefined where origins tell samples apart (images), and for generated samples.
   */
  readonly positions?: Float64Array | undefined;
  /** Other data that was passed over, by reason; hidden files of the system do not count. */
  readonly passedOver?: readonly PassedOver[] | undefined;
  /** Remarks for the user about how the data was read: assumptions, replacements, missing parts. */
  readonly remarks?: readonly string[] | undefined;
  /** For signals: samples a second, as they are in `samples`. */
  readonly rate?: number | undefined;
  /** For windows around beats: samples before the beat. Null for windows around nothing; absent where it is not known. */
  readonly peak?: number | null | undefined;
  /** For signals: the number of records that each lead was taken from, by the lead's name. */
  readonly leads?: Readonly<Record<string, number>> | undefined;
  /** SHA-256 over samples and labels, in hexadecimal. */
  readonly hash: string;
}

/** `local` is what may be learned from (called train elsewhere), `test` what accuracy is measured on. */
export type DatasetSplit = 'local' | 'test' | 'all';

/** The requirements of a network on its data, and a selection. */
export interface DatasetOptions {
  /** Shape of one sample as the model reads it, without the batch axis: `[channels, height, width]`, `[1, length]`. */
  readonly sampleShape: readonly number[];
  /** Number of classes of the model. */
  readonly classes: number;
  /** What the network is for: whether labels are classes, several labels, values or masks; default `single-label`. */
  readonly task?: TaskKind | undefined;
  /** Shape of one sample's output, without the batch axis; targets fit it. */
  readonly outputShape?: readonly number[] | undefined;
  /** The inputs of a network with several, of which `sampleShape` is the packed one. */
  readonly inputs?: readonly InputPart[] | undefined;
  /** What is known of the network's input and classes: labels, images and signals are read by it. */
  readonly contract?: InputContract | undefined;
  /** Name and shape of the output with their scores, for messages: `output 'logits' [batch, 5]`. */
  readonly output?: string | undefined;
  readonly split: DatasetSplit;
  /** Local and test are drawn anew, so that they share no patient; the data's own splits do not count. */
  readonly splitBy?: 'patient' | undefined;
  /** At most this many samples of each class, drawn by the seed. */
  readonly perClass?: number | undefined;
  /** At most this many samples overall, drawn by the seed after `perClass`. */
  readonly limit?: number | undefined;
  /** Only samples of these classes; labels stay the model's. */
  readonly classFilter?: readonly number[] | undefined;
  /** Samples a second of the signals that the model reads; undefined where it is unknown. */
  readonly rate?: number | undefined;
  /** The most pixels that an image may have; default 2^28. */
  readonly maxPixels?: number | undefined;
  /** Only objects of DICOM of such a series. */
  readonly series?: SeriesChoice | undefined;
  /** Of files with several frames only this one, from 0: the others are not decoded. */
  readonly frame?: number | undefined;
  /** Only these records of a WFDB folder. */
  readonly records?: readonly string[] | undefined;
  readonly seed: number;
  /** Leave corrupt images out and list them in `skipped`, instead of failing at the first. */
  readonly skipBad?: boolean | undefined;
  /** Called now and then with how many files are done, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}
