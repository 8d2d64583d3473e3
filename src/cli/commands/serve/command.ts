// `bedside serve`: bundles as a service over HTTP.
import type { Command } from 'commander';
import { serve } from '../../../gateway/index.ts';
import { examples } from '../../command-line.ts';
import { addCommon } from '../../options/common.ts';
import { Interrupt } from '../../terminal/interrupt.ts';
import { Output } from '../../terminal/output.ts';
import { addServeOptions, type ServeCommandOptions, serveOptions } from './options.ts';

/** Adds the command to the program. */
export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('answer requests over HTTP, on several workers')
    .description(
      'Serves bundles over HTTP by the Open Inference Protocol, version 2 (KServe, Triton), until Ctrl-C or SIGTERM. ' +
        'Requests are planned and computed by workers, as by `bedside infer`. A request may ask for a deadline, an accuracy ' +
        'floor, levels, a planner, or the relevance of its input. On this machine everybody may ask. Off it, TLS and tokens ' +
        'are needed. docs/gateway.md describes paths, parameters and bounds.',
    )
    .argument('<bundles...>', 'folders written by bedside pack');
  addServeOptions(command);
  addCommon(command)
    .addHelpText(
      'after',
      examples(
        ['bedside serve ecg/', 'on this machine, port 8500, two workers'],
        ['bedside serve ecg/ --fleet ward.json --solver exact', 'workers as slow as a ward'],
        [
          'bedside serve ecg/ --fabric nats://127.0.0.1:4222 --credentials cluster/',
          'the workers of a server',
        ],
        ['bedside serve ecg/ --host 0.0.0.0 --tls-cert c.pem --tls-key k.pem --tokens t.json', 'for a ward'],
      ),
    )
    .action((bundles: string[], options: ServeCommandOptions) => run(bundles, options));
}

async function run(bundles: readonly string[], options: ServeCommandOptions): Promise<void> {
  const output = new Output(options);
  const stop = Interrupt.ofService();
  try {
    const gateway = await serve(bundles, serveOptions(options), output);
    const { url, models, token, dashboard } = gateway;
    output.result({
      ...{ url, models },
      ...(token === undefined ? {} : { token }),
      ...(dashboard === undefined ? {} : { dashboard }),
    });
    output.print(
      [
        `serving ${models.join(', ')} at ${url}`,
        ...(dashboard === undefined ? [] : [`  ${dashboard} shows devices, requests and plans`]),
        ...models.map((name) => `  POST ${url}/v2/models/${encodeURIComponent(name)}/infer`),
        `  ${url}/openapi.json describes the rest; Ctrl-C lets requests end, then stops`,
        ...(token === undefined ? [] : [`admin token, shown this once: ${token}`]),
        '',
      ].join('\n'),
    );
    if (!stop.signal.aborted) {
      await new Promise<void>((done) => stop.signal.addEventListener('abort', () => done(), { once: true }));
    }
    output.note('stopping: requests that run may end');
    await gateway.close();
  } finally {
    stop.end();
  }
}
