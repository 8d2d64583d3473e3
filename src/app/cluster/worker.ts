// A device that computes for others over a NATS server, until it is asked to stop.
import { hostname } from 'node:os';
import { type LinkOptions, loadNats } from '../../run/index.ts';
import { formatBytes, formatCount } from '../../util/index.ts';
import { aborted, unlessAborted } from '../abort.ts';
import { findAccess, type ServerOptions } from './access.ts';

/** The device, and how much weaker than this machine it is made to be. Absent figures are those of this machine. */
export interface WorkerSettings {
  /** Name in the fleet; default: that of the credentials, otherwise that of this machine. */
  readonly name?: string | undefined;
  /** Threads of ONNX Runtime; default 1. */
  readonly threads?: number | undefined;
  /** Bytes for weights and activations. */
  readonly memory?: number | undefined;
  /** Times the speed of this machine, at most 1. */
  readonly speed?: number | undefined;
  /** Bytes a second of its links. */
  readonly bandwidth?: number | undefined;
  /** Seconds that everything sent takes longer. */
  readonly latency?: number | undefined;
  /** Joules; the device leaves when they are spent. */
  readonly battery?: number | undefined;
  readonly joulesPerMac?: number | undefined;
  readonly joulesPerByte?: number | undefined;
}

/** Something that happened to a worker. */
export interface WorkerEvent {
  readonly event: 'joined' | 'note' | 'stopping' | 'left';
  /** The worker's. */
  readonly name: string;
  /** A sentence for people. */
  readonly text: string;
  /** With `joined`: measured multiply-accumulates a second, and bytes of memory. */
  readonly macsPerSecond?: number;
  readonly memory?: number;
}

/** When a worker stops, and who is told of it. */
export interface WorkerControl {
  /** Once aborted, the worker ends what runs and leaves; a second abort has no meaning. */
  readonly signal: AbortSignal;
  readonly onEvent?: ((event: WorkerEvent) => void) | undefined;
}

/** Milliseconds that running requests have to end. */
const DRAIN_MS = 10_000;

/**
 * Joins a server as a worker, and computes for requests until the signal is aborted or the battery is spent.
 * @returns whether it had joined; false when it was aborted while it was starting, which may still go on for a moment
 * @throws BedsideError E_FABRIC when the server cannot be reached or refuses the name; E_FILE for unreadable credentials
 */
export async function runWorker(
  server: ServerOptions,
  settings: WorkerSettings,
  { signal, onEvent }: WorkerControl,
): Promise<boolean> {
  const roles = settings.name === undefined ? ['worker'] : [`worker-${settings.name}`, 'worker'];
  const access = await findAccess(server, roles);
  const { NatsWorker } = await loadNats();
  const name = settings.name ?? access.credentials?.name ?? hostname();
  const emit = (event: WorkerEvent['event'], text: string, fields: Partial<WorkerEvent> = {}): void =>
    onEvent?.({ event, name, text, ...fields });
  let leave = (_: string): void => {};
  const spent = new Promise<string>((resolve) => {
    leave = resolve;
  });
  const start = NatsWorker.start(access, {
    device: deviceOf(name, settings),
    links: linksOf(settings),
    onNote: (text) => emit('note', text),
    onLeave: (why) => leave(why),
    signal,
  });
  const started = await unlessAborted(start, signal);
  if (!started) {
    emit('left', `'${name}' was told to stop while it was starting`);
    return false;
  }
  await using worker = started;
  const { emulated, macsPerSecond, memory } = worker.entry();
  const weaker = Object.keys(emulated);
  emit(
    'joined',
    `'${name}' joined: ${formatCount(macsPerSecond)} MAC/s, ${formatBytes(memory)}` +
      (weaker.length > 0 ? `; emulated: ${weaker.join(', ')}` : ''),
    { macsPerSecond, memory },
  );
  const why = await Promise.race([spent, aborted(signal)]);
  if (why === undefined) {
    emit(
      'stopping',
      `stopping when what runs has ended (${worker.running} requests); once more stops at once`,
    );
    await worker.drain(DRAIN_MS);
  }
  emit('left', why === undefined ? `'${name}' left` : `'${name}' left: ${why}`);
  return true;
}

function deviceOf(
  name: string,
  { speed, memory, battery, joulesPerMac, joulesPerByte, threads }: WorkerSettings,
) {
  return { name, speed, memory, battery, joulesPerMac, joulesPerByteSent: joulesPerByte, threads };
}

function linksOf({ bandwidth, latency }: WorkerSettings): LinkOptions | undefined {
  return bandwidth === undefined && latency === undefined
    ? undefined
    : { bytesPerSecond: bandwidth, latency };
}
