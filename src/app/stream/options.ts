// Options of `stream`.
import type { Readable } from 'node:stream';
import type { Fleet } from '../../plan/index.ts';
import type { QualityRules, RhythmRules } from '../../signal/index.ts';
import type { ServerOptions } from '../cluster/access.ts';
import type { ResultTargets } from '../interop/outlets.ts';
import type { DeploymentOptions } from '../run/deployment-options.ts';
import type { LocalPoolOptions } from '../run/local-pool.ts';
import type { NatsPoolOptions } from '../run/nats-pool.ts';
import type { WorkerPool } from '../run/pool.ts';
import type { StreamEvent } from './events.ts';
import type { GatewayAccess } from './gateway-answerer.ts';

/** Options of `stream`. */
export interface StreamOptions
  extends DeploymentOptions,
    Omit<LocalPoolOptions, 'fleet' | 'nats'>,
    Omit<NatsPoolOptions, 'fleet'>,
    Partial<GatewayAccess>,
    RhythmRules,
    QualityRules,
    ResultTargets {
  /** A file that holds the token for the gateway, instead of `token`. */
  readonly tokenFile?: string | undefined;
  /** As `parseSource` reads them, one for each signal or more. */
  readonly sources: readonly string[];
  /** The lead in which beats are looked for; a network of one lead reads it too. */
  readonly lead?: string | undefined;
  /** Replays: 1 real time (default), 2 twice as fast, 0 as fast as beats are answered. */
  readonly speed?: number | undefined;
  /** Ends after so many seconds of a replay, or of time. */
  readonly seconds?: number | undefined;
  /** Seconds of later signal for which a missing packet is waited; default 0.25. */
  readonly patience?: number | undefined;
  /** `annotated`: windows are cut around the annotated R peaks of replayed records; nothing is detected. */
  readonly peaks?: 'detected' | 'annotated' | undefined;
  readonly fleet?: Fleet | string | undefined;
  /** Workers that run already, with the same bundle. */
  readonly pool?: WorkerPool | undefined;
  /** The server of `nats:` sources, where it is not that of the workers. */
  readonly sourceServer?: ServerOptions | undefined;
  /** What `stdin` reads; default the process's. */
  readonly input?: Readable | undefined;
  /** Seconds of signal of one result for `fhir` or `hl7`; default 300. */
  readonly fhirEvery?: number | undefined;
  /** For `fhir`: patients by bed, as references; one under `''` is that of the only bed. Without one, results name no patient. */
  readonly patients?: Readonly<Record<string, string>> | undefined;
  /** For `hl7`: the same as identifiers (PID-3). */
  readonly patientIdentifiers?: Readonly<Record<string, string>> | undefined;
  /** For `fhir`: classes of which each beat gets an Observation of its own; default none. */
  readonly eachOf?: readonly string[] | undefined;
  /** Seconds that deliveries may still take at the end; default 10. What is not delivered waits for the next run. */
  readonly flushSeconds?: number | undefined;
  /** Told each answer, in the order of each signal's beats, and each change of a signal. */
  readonly onEvent?: ((event: StreamEvent) => void) | undefined;
  /** Once aborted, sources end, beats that were found are answered, and the result is that so far. */
  readonly signal?: AbortSignal | undefined;
}
