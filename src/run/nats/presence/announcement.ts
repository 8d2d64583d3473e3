// What workers say of themselves. Said on core NATS to whoever listens, signed, and never stored: it is old after seconds.
import { z } from 'zod';

/** Milliseconds after which an entry that is not told again is gone. */
export const ENTRY_MS = 5000;

/** Bytes of an entry as it is sent; longer ones are not read. */
export const MAX_ENTRY_BYTES = 1 << 20;

const SECONDS = z.record(z.string(), z.array(z.array(z.number().positive())));

const ENTRY = z.object({
  version: z.literal(1),
  name: z.string().min(1).max(200),
  /** The machine that it runs on. */
  host: z.string(),
  /** ISO 8601. */
  since: z.string(),
  /** Measured: multiply-accumulates a second of a convolution, and seconds by name of bundle, stage and level. */
  macsPerSecond: z.number().positive(),
  seconds: SECONDS,
  /** Bytes: free for weights and activations, and used. */
  memory: z.number().min(0),
  memoryUsed: z.number().min(0),
  /** Joules left; absent without a battery. */
  battery: z.number().min(0).optional(),
  joulesPerMac: z.number().min(0),
  joulesPerByteSent: z.number().min(0),
  sessions: z.number().min(0),
  bytesSent: z.number().min(0),
  /** What is emulated of it; a real device has nothing here. */
  emulated: z.record(z.string(), z.number()),
  bundles: z.array(
    z.object({
      name: z.string(),
      sha256: z.string(),
      stages: z.array(z.number()),
      measured: z.boolean(),
    }),
  ),
  /** To others, found by probing: bytes a second, and seconds one way. */
  links: z.array(
    z.object({ to: z.string(), bytesPerSecond: z.number().positive(), latency: z.number().min(0) }),
  ),
});

/** What a worker says of itself. */
export type NodeEntry = z.output<typeof ENTRY>;

/** An entry as the board has it: whether a worker is trusted is not its own to say, but its key's. */
export type FleetEntry = NodeEntry & { readonly trusted: boolean };

/**
 * An entry as it is sent. Who reads takes the first of a session for what somebody says now, and not for something said once
 * and repeated by another, only if it has what he himself asked with; then each must be newer than the one before.
 */
export const ANNOUNCEMENT = z.object({
  /** Another one each time a worker starts. */
  session: z.string().max(64),
  counter: z.int().min(0),
  /** What was asked with since the entry before. */
  asked: z.array(z.string().max(64)).max(256),
  /** Absent in a last one, by who leaves. */
  entry: ENTRY.optional(),
});

export type Announcement = z.output<typeof ANNOUNCEMENT>;
