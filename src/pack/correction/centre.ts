// The values that an affine correction is fitted to, less their means.

/** `[rows, channels]` of all samples, as `[samples, channels, positions]` of those that fit, centred. */
export function centre(given: Float32Array, samples: number, channels: number, places: number) {
  const mean = new Float32Array(channels);
  const centred = new Float32Array(samples * channels * places);
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    for (let row = 0; row < samples * places; row++) sum += given[row * channels + c] as number;
    const average = sum / (samples * places);
    mean[c] = average;
    for (let s = 0; s < samples; s++) {
      for (let k = 0; k < places; k++) {
        centred[(s * channels + c) * places + k] =
          (given[(s * places + k) * channels + c] as number) - average;
      }
    }
  }
  return { centred, mean };
}
