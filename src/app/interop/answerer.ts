// Who answers an image: a bundle in this process, or a gateway.
import type { AnsweredBy } from '../../interop/internal.ts';
import type { AnswerForm } from '../explain/answers.ts';

/** An image's answer, and what it came about by. */
export interface AnsweredImageScores {
  readonly scores: Float32Array;
  /** What the network read, of one sample. */
  readonly sample: Float32Array;
  /** One value for each of `sample`; undefined where the network cannot be explained. */
  readonly relevance: Float32Array | undefined;
  readonly levels: readonly number[];
  /** What chose the levels. */
  readonly policy: string;
  readonly policySha256?: string | undefined;
  readonly devices: readonly string[];
  readonly remarks: readonly string[];
}

/** A frame of an image that has several. */
export interface FrameChoice {
  /** From 0. */
  readonly index: number;
  /** How many the image has. */
  readonly of: number;
}

/** Answers images. */
export interface ImageAnswerer extends AsyncDisposable {
  readonly by: AnsweredBy;
  readonly form: AnswerForm;
  /**
   * @param image an object of DICOM, read as `bedside infer --data` reads it
   * @param frame of an object that has several; otherwise it has one
   * @throws BedsideError E_DATA, E_DATA_FIT and so on for the image; E_FABRIC, E_BUSY and so on where nothing answers now
   */
  answer(image: Uint8Array, signal: AbortSignal, frame?: FrameChoice): Promise<AnsweredImageScores>;
}

/** How messages call what is answered: names of files may tell who it was. */
export const IMAGE_NAME = 'the image';

/** What an image may be: one, and no larger than gateways take. */
export const IMAGE_BOUNDS = { maxBytes: 512 * 2 ** 20, maxFiles: 1, maxPixels: 2 ** 26 };
