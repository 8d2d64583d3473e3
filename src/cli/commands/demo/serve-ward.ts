// The last part of the demo: the bundle is served on its devices until Ctrl-C, and something happens all the time.
import { serveDemo } from '../../../gateway/index.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import type { Output } from '../../terminal/output.ts';

/** Less confident answers are repeated on the unpruned network, as in the demo before. */
const FALLBACK_MARGIN = 0.5;

/** Serves until the first signal, then ends monitors, gateway and devices. */
export async function serveWard(
  {
    bundle,
    fleet,
    samples,
    nats,
  }: Pick<Parameters<typeof serveDemo>[0], 'bundle' | 'fleet' | 'samples' | 'nats'>,
  output: Output,
): Promise<void> {
  const stop = Interrupt.ofService();
  try {
    const said = (text: string): void =>
      output.print(`  ${new Date().toISOString().slice(11, 19)} ${text}\n`);
    const options = { bundle, fleet, samples, nats, fallbackMargin: FALLBACK_MARGIN, onEvent: said };
    await using served = await serveDemo(options, output);
    output.print(
      [
        '\nThe ward is served now. Four simulated monitors send requests, each about once a second. Again and again a link is',
        'throttled and a device killed; the page Ward has buttons for both.',
        ...(served.dashboard === undefined
          ? [`  requests:  ${served.url}/v2 (there is no dashboard: its pages were not built)`]
          : [`  dashboard: ${served.dashboard}`]),
        '  Ctrl-C ends it.',
        '',
      ].join('\n'),
    );
    if (!stop.signal.aborted) {
      await new Promise<void>((done) => stop.signal.addEventListener('abort', () => done(), { once: true }));
    }
    const { answered, failed } = served.counts;
    const codes = [...failed].map(([code, count]) => `${count} with ${code}`);
    output.print(
      `\n${answered} requests of the monitors were answered; failed: ${codes.join(', ') || 'none'}\n`,
    );
  } finally {
    stop.end();
  }
}
