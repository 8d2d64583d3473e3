// Where signals come from.

import type { Recording } from '../../../data/internal.ts';
import type { SignalPacket } from '../../../signal/index.ts';
import { BedsideError } from '../../../util/index.ts';

/** Takes what a source gives. */
export interface SourceSink {
  /** @param arrived when its last sample was there, on the clock of `performance` in milliseconds; default now */
  packet(bed: string | undefined, packet: SignalPacket, arrived?: number): void;
  /** A packet could not be read. */
  malformed(error: unknown): void;
  /** Something to tell the operator. */
  note(text: string): void;
  /** Resolves when there is room for more requests: for sources that can wait. */
  room(): Promise<void>;
}

/** A source of one signal or more. */
export interface StreamSource {
  /** As the operator gave it. */
  readonly spec: string;
  /** The bed of packets that name none. */
  readonly bed: string;
  /** The recording that is replayed. */
  readonly recording?: Recording | undefined;
  /** Runs until its end, or until the signal is aborted. @throws BedsideError E_FABRIC, E_FILE, E_DATA */
  run(sink: SourceSink, signal: AbortSignal): Promise<void>;
}

/** A source as it is written. */
export type SourceSpec =
  | { readonly kind: 'wfdb' | 'edf'; readonly path: string }
  | { readonly kind: 'stdin'; readonly raw: RawFormat | undefined }
  | { readonly kind: 'nats'; readonly subject: string }
  | { readonly kind: 'ws'; readonly host: string; readonly port: number };

/** Raw samples: `text` is one number in millivolts a line; others are little-endian. */
export interface RawFormat {
  readonly rate: number;
  readonly format: 'text' | 'f32' | 's16';
  /** Steps of s16 in a millivolt. */
  readonly gain: number;
}

/** Tokens between dots, none of them empty; `>` is the last alone. A server would say nothing of others, nor send any. */
const SUBJECT = /^(?:[^\s.>]+\.)*(?:[^\s.>]+|>)$/;

/**
 * Reads `wfdb:PATH/RECORD`, `edf:FILE`, `stdin`, `stdin:RATE[:text|f32|s16:GAIN]`, `nats:SUBJECT` and `ws:[HOST:]PORT`.
 * @throws BedsideError E_USAGE
 */
export function parseSource(text: string): SourceSpec {
  const at = text.indexOf(':');
  const [kind, rest] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
  switch (kind) {
    case 'wfdb':
    case 'edf':
      if (rest !== '') return { kind, path: rest };
      break;
    case 'stdin':
      return { kind, raw: rest === '' ? undefined : rawFormat(rest, text) };
    case 'nats':
      if (rest.length <= 256 && SUBJECT.test(rest)) return { kind, subject: rest };
      break;
    case 'ws': {
      const [, host = '127.0.0.1', port = ''] = /^(?:(.+):)?(\d{1,5})$/.exec(rest) ?? [];
      if (port !== '' && Number(port) <= 65_535) return { kind, host, port: Number(port) };
      break;
    }
  }
  throw wrong(text);
}

function rawFormat(rest: string, text: string): RawFormat {
  const [rate, format = 'text', gain = ''] = rest.split(':');
  const known = (['text', 'f32', 's16'] as const).find((own) => own === format);
  const hertz = Number(rate);
  const steps = gain === '' && known !== 's16' ? 1 : Number(gain);
  if (!known || !(hertz > 0 && hertz <= 1e6) || !(steps > 0)) throw wrong(text);
  return { rate: hertz, format: known, gain: steps };
}

function wrong(text: string): BedsideError {
  return new BedsideError('E_USAGE', `'${text}' is no source of a signal`, {
    hint:
      'wfdb:FOLDER/RECORD, edf:FILE, stdin (packets as JSON lines), stdin:250 (one number in millivolts a line), stdin:250:f32, ' +
      'stdin:250:s16:200 (steps a millivolt), nats:SUBJECT, or ws:PORT',
  });
}
