// A recording replayed as it was recorded: packets of a tenth of a second, in real time or faster.
import { setImmediate, setTimeout } from 'node:timers/promises';
import { atRate, openRecording, type RecordedLead, type SignalTarget } from '../../../data/internal.ts';
import { BedsideError } from '../../../util/index.ts';
import { chooseLeads } from '../bed.ts';
import type { SourceSink, StreamSource } from './source.ts';

/** How a recording is replayed. */
export interface ReplayOptions {
  readonly target: SignalTarget;
  readonly lead?: string | undefined;
  /** 1: real time; 0: as fast as beats are answered. */
  readonly speed: number;
  /** Seconds of it to replay; default all. */
  readonly seconds?: number | undefined;
}

const PACKET_SECONDS = 0.1;
/** A replay without a clock lets others run after so many packets. */
const AT_ONCE = 20;

/**
 * Opens a recording to replay.
 * @throws BedsideError E_DATA for a recording without a lead that is read, or with leads of different rates; as `openRecording`
 */
export async function replaySource(
  spec: string,
  path: string,
  options: ReplayOptions,
): Promise<StreamSource> {
  const recording = await openRecording(path);
  const { searched, read } = chooseLeads(options.target, recording.leads, options.lead);
  const leads: RecordedLead[] = [];
  for (const name of new Set([searched, ...read])) leads.push(await recording.read(name));
  const [first] = leads;
  const other = leads.find(({ rate }) => rate !== first?.rate);
  if (!first || other) {
    throw new BedsideError(
      'E_DATA',
      `leads of ${recording.name} have different sampling rates: they cannot be replayed together`,
      {
        hint: 'choose a lead with --lead, or write them at one rate',
      },
    );
  }
  return {
    ...{ spec, bed: recording.name, recording: atRate(recording, first.rate) },
    run: async (sink, signal) => {
      for (const { remarks } of leads) for (const remark of remarks) sink.note(remark);
      await replay(leads, options, sink, signal);
    },
  };
}

async function replay(
  leads: readonly RecordedLead[],
  { speed, seconds = Number.POSITIVE_INFINITY }: ReplayOptions,
  sink: SourceSink,
  signal: AbortSignal,
): Promise<void> {
  const { rate = 1, samples } = leads[0] ?? {};
  const length = Math.min(samples?.length ?? 0, Math.round(seconds * rate));
  const size = Math.max(1, Math.round(PACKET_SECONDS * rate));
  const start = performance.now();
  for (let from = 0, packets = 0; from < length && !signal.aborted; from += size, packets++) {
    const to = Math.min(from + size, length);
    // A packet is there when its last sample is.
    const due = speed > 0 ? start + (1000 * to) / rate / speed : undefined;
    if (due !== undefined && due > performance.now()) {
      await setTimeout(due - performance.now(), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    }
    if (due === undefined) {
      await sink.room();
      if (packets % AT_ONCE === 0) await setImmediate();
    }
    const parts = leads.map(({ name, samples: all }) => [name, all.subarray(from, to)] as const);
    sink.packet(undefined, { rate, leads: new Map(parts) }, due);
  }
}
