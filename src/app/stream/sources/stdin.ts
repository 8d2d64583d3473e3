// A signal on standard input, or any other stream of bytes: packets as JSON lines, or raw samples.
import type { Readable } from 'node:stream';
import { BedsideError } from '../../../util/index.ts';
import { MOST_LINE, parsePacket } from '../packets.ts';
import { Lines } from './lines.ts';
import type { RawFormat, SourceSink, StreamSource } from './source.ts';

/** Reads packets or raw samples from a stream of bytes until it ends. */
export function bytesSource(spec: string, input: Readable, raw: RawFormat | undefined): StreamSource {
  return {
    ...{ spec, bed: 'stdin' },
    async run(sink, signal) {
      const taker =
        raw === undefined
          ? packetLines(sink)
          : raw.format === 'text'
            ? numberLines(sink, raw)
            : samples(sink, raw);
      const stop = (): void => void input.destroy();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) return;
        for await (const piece of input) {
          taker.push(typeof piece === 'string' ? Buffer.from(piece) : (piece as Uint8Array));
          await sink.room();
        }
        taker.end();
      } catch (error) {
        if (!signal.aborted) throw error;
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
  };
}

interface Taker {
  push(piece: Uint8Array): void;
  end(): void;
}

/** Hands each line of a text on as a packet. */
export function takePacketLine(sink: SourceSink, line: string | undefined): void {
  try {
    if (line === undefined) {
      throw new BedsideError('E_DATA', `a packet is longer than ${MOST_LINE} characters`, {
        hint: 'send shorter ones',
      });
    }
    const { bed, ...packet } = parsePacket(line);
    sink.packet(bed, packet);
  } catch (error) {
    sink.malformed(error);
  }
}

function packetLines(sink: SourceSink): Taker {
  const lines = new Lines(MOST_LINE);
  const take = (found: readonly (string | undefined)[]): void => {
    for (const line of found) takePacketLine(sink, line);
  };
  return { push: (piece) => take(lines.push(piece)), end: () => take(lines.end()) };
}

const MISSING: readonly string[] = ['-', 'nan', 'null'];

function numberLines(sink: SourceSink, { rate, gain }: RawFormat): Taker {
  const lines = new Lines(64);
  const take = (found: readonly (string | undefined)[]): void => {
    const values: number[] = [];
    for (const line of found) {
      const text = line?.trim() ?? '';
      const value = MISSING.includes(text.toLowerCase()) ? Number.NaN : Number(text);
      // A line that is no number stands for a sample that is missing, so that time goes on.
      if (
        line === undefined ||
        (Number.isNaN(value) && !MISSING.includes(text.toLowerCase())) ||
        Math.abs(value) > 1e12
      ) {
        sink.malformed(
          new BedsideError('E_DATA', 'a line is no number of millivolts', {
            hint: 'write one number a line',
          }),
        );
        values.push(Number.NaN);
      } else values.push(value / gain);
    }
    if (values.length > 0)
      sink.packet(undefined, { rate, leads: new Map([['ECG', Float64Array.from(values)]]) });
  };
  return { push: (piece) => take(lines.push(piece)), end: () => take(lines.end()) };
}

function samples(sink: SourceSink, { rate, format, gain }: RawFormat): Taker {
  const size = format === 'f32' ? 4 : 2;
  let rest = new Uint8Array(0);
  return {
    push(piece) {
      const bytes = Buffer.concat([rest, piece]);
      const count = Math.floor(bytes.length / size);
      rest = Uint8Array.from(bytes.subarray(count * size));
      if (count === 0) return;
      const values = Float64Array.from({ length: count }, (_, i) => {
        const value = format === 'f32' ? bytes.readFloatLE(4 * i) : bytes.readInt16LE(2 * i);
        return Number.isFinite(value) ? value / gain : Number.NaN;
      });
      sink.packet(undefined, { rate, leads: new Map([['ECG', values]]) });
    },
    end() {
      if (rest.length > 0) {
        sink.malformed(
          new BedsideError('E_DATA', 'the input ends within a sample', {
            hint: 'check the format that --source names, such as stdin:360:s16:200',
          }),
        );
      }
    },
  };
}
