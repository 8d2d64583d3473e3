// The memory that is left for this process.
import { freemem } from 'node:os';

/** Bytes that can still be taken: what the machine has free, or less where a limit is set for the process. */
export function availableMemory(): number {
  const free = freemem();
  // Since Node 20.13; it knows of limits by control groups.
  const limited = process.availableMemory?.();
  return limited !== undefined && limited > 0 ? Math.min(limited, free) : free;
}
