// The sources of a stream, opened as they were written.
import type { SignalTarget } from '../../data/internal.ts';
import { BedsideError } from '../../util/index.ts';
import type { StreamOptions } from './options.ts';
import { natsSource } from './sources/nats.ts';
import { replaySource } from './sources/replay.ts';
import { parseSource, type StreamSource } from './sources/source.ts';
import { bytesSource } from './sources/stdin.ts';
import { webSocketSource } from './sources/websocket.ts';

const FASTEST = 1000;

/**
 * Opens all sources; recordings are in memory then.
 * @throws BedsideError E_USAGE for what is no source, standard input twice, or a speed that is none; as each source
 */
export async function openSources(
  options: StreamOptions,
  target: SignalTarget,
): Promise<readonly StreamSource[]> {
  const { sources, lead, speed = 1, seconds, input = process.stdin } = options;
  if (sources.length === 0)
    throw new BedsideError('E_USAGE', 'there is no source of a signal', { hint: 'name one with --source' });
  if (!(speed >= 0 && speed <= FASTEST)) {
    throw new BedsideError('E_USAGE', `a speed of ${speed} is none`, {
      hint: `1 is real time, up to ${FASTEST}; 0: as fast as beats are answered`,
    });
  }
  const specs = sources.map((text) => ({ text, spec: parseSource(text) }));
  if (specs.filter(({ spec }) => spec.kind === 'stdin').length > 1) {
    throw new BedsideError('E_USAGE', 'standard input is one source', {
      hint: 'packets of several beds name theirs (`bed`)',
    });
  }
  const isReplay = (kind: string): boolean => kind === 'wfdb' || kind === 'edf';
  if (options.peaks === 'annotated' && specs.some(({ spec }) => !isReplay(spec.kind))) {
    throw new BedsideError('E_USAGE', 'only recordings have annotated peaks', { hint: 'leave out --peaks' });
  }
  const opened: StreamSource[] = [];
  for (const { text, spec } of specs) {
    switch (spec.kind) {
      case 'wfdb':
      case 'edf':
        opened.push(await replaySource(text, spec.path, { target, lead, speed, seconds }));
        break;
      case 'stdin':
        opened.push(bytesSource(text, input, spec.raw));
        break;
      case 'nats':
        opened.push(natsSource(text, spec.subject, options.sourceServer ?? options));
        break;
      case 'ws':
        opened.push(webSocketSource(text, spec.host, spec.port));
    }
  }
  const bare = opened.find(({ recording }) => !recording?.beats?.length);
  if (options.peaks === 'annotated' && bare) {
    throw new BedsideError('E_DATA', `${bare.spec} has no annotated beats`, { hint: 'leave out --peaks' });
  }
  return opened;
}
