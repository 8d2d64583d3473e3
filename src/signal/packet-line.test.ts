// Packets that change places, get lost, come late or twice, with clocks that drift or jump.
import { describe, expect, it } from 'vitest';
import { Random } from '../util/internal.ts';
import { type LinePiece, PacketLine, type SignalPacket } from './packet-line.ts';

const RATE = 100;
const packet = (
  at: number | undefined,
  from: number,
  count = 10,
  rate: number | undefined = RATE,
): SignalPacket => ({
  ...{ at, rate },
  leads: new Map([['II', Float64Array.from({ length: count }, (_, i) => from + i)]]),
});

/** The line as text: values, gaps and what else happened. */
function told(pieces: readonly LinePiece[]): string {
  return pieces
    .map((piece) => {
      switch (piece.kind) {
        case 'samples': {
          const own = piece.leads.get('II') as Float64Array;
          return `${own[0]}-${own.at(-1)}`;
        }
        case 'rate':
          return `rate ${piece.rate}`;
        case 'restart':
          return 'restart';
        default:
          return `${piece.kind} ${piece.count}`;
      }
    })
    .join(', ');
}

function through(packets: readonly SignalPacket[]): string {
  const line = new PacketLine();
  return told([...packets.flatMap((own) => line.push(own)), ...line.flush()]);
}

describe('PacketLine', () => {
  it.each([
    ['in order', [packet(5, 0), packet(5.1, 10)], 'rate 100, 0-9, 10-19'],
    ['without times', [packet(undefined, 0), packet(undefined, 10)], 'rate 100, 0-9, 10-19'],
    ['with jitter', [packet(5, 0), packet(5.11, 10), packet(5.195, 20)], 'rate 100, 0-9, 10-19, 20-29'],
    ['that changed places', [packet(5, 0), packet(5.2, 20), packet(5.1, 10)], 'rate 100, 0-9, 10-19, 20-29'],
    [
      'of which one is lost',
      [packet(5, 0), packet(5.2, 20), packet(5.3, 30), packet(5.4, 40)],
      'rate 100, 0-9, gap 10, 20-29, 30-39, 40-49',
    ],
    [
      'of which one comes too late',
      [packet(5, 0), packet(5.2, 20, 30), packet(5.1, 10), packet(5.5, 50)],
      'rate 100, 0-9, gap 10, 20-49, late 10, 50-59',
    ],
    ['that overlap', [packet(5, 0), packet(5.05, 5)], 'rate 100, 0-9, late 5, 10-14'],
    ['of another rate', [packet(5, 0), packet(5.1, 10, 20, 200)], 'rate 100, 0-9, rate 200, 10-29'],
    ['of a clock that is set back', [packet(5000, 0), packet(5, 10)], 'rate 100, 0-9, restart, 10-19'],
    ['after an hour of nothing', [packet(5, 0), packet(3605.1, 10)], 'rate 100, 0-9, gap 360000, 10-19'],
  ])('puts packets %s on a line', (_, packets, expected) => {
    expect(through(packets)).toBe(expected);
  });

  it('measures a drift, and never takes it for a gap', () => {
    const line = new PacketLine();
    const pieces = Array.from({ length: 6000 }, (_, i) => line.push(packet(0.1 * i * 1.001, 10 * i))).flat();
    expect(pieces.filter(({ kind }) => kind === 'gap' || kind === 'late')).toEqual([]);
    expect(line.drift).toBeCloseTo(1000, 0);
  });

  it('loses nothing, whatever packets do: every sample is on the line, late, or in a gap', () => {
    const random = new Random(4);
    for (let round = 0; round < 20; round++) {
      const all = Array.from({ length: 100 }, (_, i) => packet(0.1 * i, 10 * i));
      const sent = all
        .filter(() => random.uniform() < 0.9)
        .map((own) => [own, (own.at ?? 0) + 0.3 * random.uniform()] as const);
      const line = new PacketLine();
      const pieces = sent
        .sort(([, a], [, b]) => a - b)
        .flatMap(([own]) => line.push(own))
        .concat(line.flush());
      const sum = (kind: string): number =>
        pieces.reduce(
          (total, piece) => total + (piece.kind === kind && 'count' in piece ? piece.count : 0),
          0,
        );
      expect(sum('samples') + sum('late')).toBe(10 * sent.length);
      const values = pieces.flatMap((piece) =>
        piece.kind === 'samples' ? [...(piece.leads.get('II') ?? [])] : [],
      );
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      expect(sum('samples') + sum('gap')).toBe((values.at(-1) ?? 0) - (values[0] ?? 0) + 1);
    }
  });
});
