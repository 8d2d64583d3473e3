// Finds the number of channels that ONNX Runtime's convolutions compute together.
import { readFileSync } from 'node:fs';

/**
 * The block of channels of ONNX Runtime's NCHWc layout: 16 with AVX-512, otherwise 8. Counts are padded up to it, so 63
 * channels cost as much as 64. It has that layout for two-dimensional convolutions alone: the time of others grows with
 * every channel. Read from the processor's flags on Linux; 8 elsewhere.
 */
export function detectBlock(): number {
  try {
    return blockOf(readFileSync('/proc/cpuinfo', 'utf8'));
  } catch {
    return 8;
  }
}

/** The block for the text of /proc/cpuinfo. */
export function blockOf(cpuinfo: string): number {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? '';
  return flags.split(/\s+/).includes('avx512f') ? 16 : 8;
}
