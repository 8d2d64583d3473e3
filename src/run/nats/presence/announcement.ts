// The signed announcements by which workers describe themselves. They are published on core NATS and never stored,
// because they are out of date after seconds.
import { z } from 'zod';

/** Milliseconds after which an entry expires unless it is announced again. */
export const ENTRY_MS = 5000;

/** Largest announcement in bytes; larger ones are not read. */
export const MAX_ENTRY_BYTES = 1 << 20;

const SECONDS = z.record(z.string(), z.array(z.array(z.number().positive())));

const ENTRY = z.object({
  version: z.literal(1),
  name: z.string().min(1).max(200),
  /** Name of the machine that it runs on. */
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
  /** Measured: MACs a second of a convolution, and seconds by bundle name, stage and level. */
  macsPerSecond: z.number().positive(),
  seconds: SECONDS,
  /** Bytes that are free for weights and activations, and bytes in use. */
  memory: z.number().min(0),
  memoryUsed: z.number().min(0),
  /** Joules left; absent without a battery. */
  battery: z.number().min(0).optional(),
  joulesPerMac: z.number().min(0),
  joulesPerByteSent: z.number().min(0),
  sessions: z.number().min(0),
  bytesSent: z.number().min(0),
  /** Emulated properties; empty for a real device. */
  emulated: z.record(z.string(), z.number()),
  bundles: z.array(
    z.object({
      name: z.string(),
      sha256: z.string(),
      stages: z.array(z.number()),
      measured: z.boolean(),
    }),
  ),
  /** Probed links to other workers: bytes a second, and seconds one way. */
  links: z.array(
    z.object({ to: z.string(), bytesPerSecond: z.number().positive(), latency: z.number().min(0) }),
  ),
});

/** A worker's description of itself. */
export type NodeEntry = z.output<typeof ENTRY>;

/** An entry of the fleet directory. Whether a worker is trusted is decided by its certificate, not by the worker. */
export type FleetEntry = NodeEntry & { readonly trusted: boolean };

/**
 * An announcement as it is sent. A reader accepts the first one of a session only if it repeats a nonce of the reader,
 * so that nobody can replay an old one. Each later one must have a higher counter.
 */
export const ANNOUNCEMENT = z.object({
  /** Changes each time the worker starts. */
  session: z.string().max(64),
  counter: z.int().min(0),
  /** Nonces of the roll calls since the previous announcement. */
  asked: z.array(z.string().max(64)).max(256),
  /** Absent when the worker leaves. */
  entry: ENTRY.optional(),
});

export type Announcement = z.output<typeof ANNOUNCEMENT>;
