// The number of channels that ONNX Runtime's convolutions compute together.
import { readFileSync } from 'node:fs';

/**
 * Its blocked layout (NCHWc) holds 16 channels with AVX-512 and 8 otherwise; other counts are padded up to that, so 63
 * channels cost as much as 64. Read from the processor's flags on Linux; 8 elsewhere.
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
