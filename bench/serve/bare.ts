// What requests are compared with: the same engine called directly, and an echo of the same bytes by fastify alone.
import { fastify } from 'fastify';
import { SingleMachine } from '../../src/app/index.ts';
import { openBundle } from '../../src/bundle/index.ts';
import { type FloatTensor, tensor } from '../../src/engine/index.ts';

/** Orders; each is answered by one message. */
export type BareOrder =
  | {
      readonly do: 'open';
      readonly bundle: string;
      readonly answer: number;
      readonly levels: readonly number[];
    }
  | {
      readonly do: 'engine';
      readonly calls: number;
      readonly levels: readonly number[];
      readonly input: number[];
    };

type Opening = Extract<BareOrder, { readonly do: 'open' }>;

let single: SingleMachine | undefined;
let shape: readonly number[] = [];

async function open({ bundle, answer, levels }: Opening): Promise<{ readonly url: string }> {
  const opened = await openBundle(bundle);
  const one = new SingleMachine(opened);
  single = one;
  shape = opened.manifest.model.input.shape;
  const app = fastify({ logger: false });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  // As many bytes come back as the gateway answers with.
  app.post('/echo', (request, reply) =>
    reply
      .header('content-type', 'application/octet-stream')
      .send((request.body as Buffer).subarray(0, answer)),
  );
  // The least server that computes: the engine called with the bytes behind the JSON.
  app.post('/engine', async (request, reply) => {
    const body = request.body as Buffer;
    const at = Number(request.headers['inference-header-content-length']);
    const input = tensor(new Float32Array(Uint8Array.from(body.subarray(at)).buffer), [1, ...shape]);
    const scores = await one.run(levels, input as FloatTensor);
    return reply
      .header('content-type', 'application/octet-stream')
      .send(Buffer.from(scores.buffer, scores.byteOffset, scores.byteLength));
  });
  return { url: await app.listen({ host: '127.0.0.1', port: 0 }) };
}

async function engine(calls: number, levels: readonly number[], values: number[]): Promise<number[]> {
  if (!single) throw new Error('no bundle is open');
  const input = tensor(Float32Array.from(values), [1, ...shape]) as FloatTensor;
  const seconds: number[] = [];
  for (let at = 0; at < calls; at++) {
    const start = performance.now();
    await single.run(levels, input);
    seconds.push((performance.now() - start) / 1000);
    // As a server between requests: what waits on the event loop has its turn.
    if (at % 8 === 0) await new Promise((done) => setImmediate(done));
  }
  return seconds;
}

process.on('message', async (order: BareOrder) => {
  const answer = order.do === 'open' ? open(order) : engine(order.calls, order.levels, order.input);
  process.send?.(await answer);
});
