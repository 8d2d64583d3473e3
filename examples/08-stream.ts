// A live ECG, packet by packet, through two workers of this machine: each beat is found and answered as it comes.
// Run it in the repository: npx tsx examples/08-stream.ts
import { Readable } from 'node:stream';
import { type StreamEvent, stream } from 'bedside';
import { withSmallBundle } from './small-bundle.ts';

const RATE = 250;
const SECONDS = 20;

/** A made heartbeat every 0.8 s: P, Q, R, S and T waves as bells of a height and a width, in millivolts and seconds. */
const WAVES = [
  [-0.17, 0.12, 0.025],
  [-0.03, -0.1, 0.01],
  [0, 1, 0.012],
  [0.03, -0.2, 0.012],
  [0.27, 0.25, 0.05],
] as const;
const millivolts = (seconds: number): number => {
  const inBeat = ((seconds + 0.3) % 0.8) - 0.3;
  return WAVES.reduce(
    (sum, [at, height, width]) => sum + height * Math.exp(-(((inBeat - at) / width) ** 2) / 2),
    0,
  );
};

/** What a monitor sends: a packet every tenth of a second. One of them is lost on its way. */
function* packets(): Generator<string> {
  for (let i = 0; i < SECONDS * 10; i++) {
    if (i === 100) continue;
    const samples = Array.from({ length: RATE / 10 }, (_, k) => millivolts(i / 10 + k / RATE));
    yield `${JSON.stringify({ at: i / 10, rate: RATE, lead: 'II', samples })}\n`;
  }
}

await withSmallBundle(async (bundle) => {
  const onEvent = (event: StreamEvent): void => {
    const at = `${event.at.toFixed(2)} s`;
    if (event.kind === 'beat')
      console.log(`${at}  ${event.class}, ${(100 * event.probability).toFixed(0)} % sure`);
    else console.log(`${at}  ${event.kind === 'signal' ? event.text : `no answer: ${event.reason}`}`);
  };
  const result = await stream(bundle, {
    sources: ['stdin'],
    input: Readable.from(packets()),
    workers: 2,
    onEvent,
  });
  const { beats, answered, late, lost, heartRate } = result;
  console.log(`${beats} beats: ${answered} answered, ${late} late, ${lost} lost`);
  console.log(`heart rate: ${heartRate?.mean.toFixed(0)} beats a minute`);
});
