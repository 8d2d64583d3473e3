// What every reader of recordings and images produces.

/** Samples as a network reads them, all in memory. */
export interface Dataset {
  readonly kind: 'npz' | 'images' | 'wfdb' | 'synthetic';
  /** The path or the generator, as the user would write it. */
  readonly name: string;
  /** Number of samples. */
  readonly size: number;
  /** Shape of one sample, without the batch axis. */
  readonly sampleShape: readonly number[];
  /** `[size, ...sampleShape]`, row-major. */
  readonly samples: Float32Array;
  /** One class index a sample, or undefined when the data has no labels. */
  readonly labels: Int32Array | undefined;
  /** Names of the classes by index; `0`, `1`, ... where the data has none. */
  readonly classNames: readonly string[];
  /** Where each sample comes from: the record of a beat, the file of an image; undefined where there is nothing to say. */
  readonly origins: readonly string[] | undefined;
  /** Files left out with `skipBad`, and why. */
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  /** SHA-256 over samples and labels, in hexadecimal. */
  readonly hash: string;
}
