// Valid inputs to damage: small networks of several kinds, data of every format, a bundle, a fleet, a request, credentials.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { findAccess } from '../../../src/app/internal.ts';
import { writeBundle } from '../../../src/bundle/internal.ts';
import { contentsOf } from '../../../src/bundle/test-support/contents.ts';
import { Net } from '../../../src/channels/test-support/net.ts';
import { runHere } from '../../../src/cli/test-support/in-process.ts';
import { npyArray, writeNpz } from '../../../src/data/index.ts';
import { type Model, writeModel } from '../../../src/onnx/index.ts';
import { canonicalGraph, int, ints } from '../../../src/onnx/internal.ts';
import { newCredentials } from '../../../src/run/nats/cluster/credentials.ts';
import { newSigningKey, signerOf } from '../../../src/run/nats/identity/signing.ts';
import { mixedNet } from '../../../src/run/test-support/mixed-net.ts';
import { Random } from '../../../src/util/internal.ts';

const POLICY = fileURLToPath(new URL('../../../models/policy.onnx', import.meta.url));

/** Normalisation, a gate, a concatenation and the arithmetic of shapes that exporters leave. */
function exportedNet(): Model {
  const net = new Net([2, 6, 6], 2);
  const { builder } = net;
  const norm = net.batchNorm(net.conv('first', net.input, 2, 8, { bias: false }), 8);
  const features = net.relu(norm);
  const mean = net.op('ReduceMean', [features], { axes: ints([2, 3]), keepdims: int(1) });
  const gate = net.op('Sigmoid', [net.conv('gate', mean, 8, 8, { kernel: 1 })]);
  const gated = net.op('Mul', [features, gate]);
  const padded = net.op('Pad', [gated, builder.ints([0, 0, 1, 1, 0, 0, 1, 1])]);
  const pooled = net.op('AveragePool', [padded], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const joined = net.op('Concat', [pooled, net.conv('side', pooled, 8, 4)], { axis: int(1) });
  const size = builder.node('Gather', [builder.node('Shape', [joined]), builder.ints([0])], { axis: int(0) });
  const target = builder.node('Concat', [size, builder.ints([-1])], { axis: int(0) });
  return net.finish(net.gemm('head', net.op('Reshape', [joined, target]), 12 * 16, 3));
}

/** A convolution along rows, a recurrent layer over them, a linear one with its bias as a sum. */
function sequenceNet(): Model {
  const net = new Net([2, 6, 6], 3);
  const { builder } = net;
  const rows = net.op('Reshape', [net.input, builder.ints([0, 12, 6])]);
  const conv = net.op('Conv', [rows, net.weights([8, 12, 3], 0.2)], { pads: ints([1, 1]) });
  const steps = net.op('Transpose', [net.relu(conv)], { perm: ints([2, 0, 1]) });
  const weights = [net.weights([1, 16, 8], 0.3), net.weights([1, 16, 4], 0.3)];
  const [, last = ''] = builder.nodes('LSTM', [steps, ...weights], { hidden_size: int(4) }, ['all', 'last']);
  const flat = net.op('Squeeze', [last, builder.ints([0])]);
  return net.finish(
    net.op('Add', [net.op('MatMul', [flat, net.weights([4, 3], 0.5)]), net.weights([3], 0.1)]),
  );
}

function imageNet(): Model {
  const net = new Net([3, 8, 8], 4);
  const pool = net.op('GlobalAveragePool', [net.relu(net.conv('a', net.input, 3, 8))]);
  return net.finish(net.gemm('head', net.op('Flatten', [pool]), 8, 3));
}

function beatNet(): Model {
  const net = new Net([1, 256], 5);
  const pool = net.op('GlobalMaxPool', [net.relu(net.conv('a', net.input, 1, 8, { stride: 4 }))]);
  const model = net.finish(net.gemm('head', net.op('Flatten', [pool]), 8, 5));
  model.graph.outputs = model.graph.outputs.map((output) => ({ ...output, dims: ['batch', 5] }));
  return model;
}

/** What cases start from. */
export interface Seeds {
  /** Networks that read `data.npz`. */
  readonly models: readonly Uint8Array[];
  /** JSON of things to damage. */
  readonly fleet: unknown;
  readonly request: unknown;
  readonly credentials: unknown;
}

/** Writes the valid inputs into a folder: data.npz, images/, wfdb/, image.onnx, beats.onnx, bundle/, policy.onnx, … */
export async function writeSeeds(folder: string): Promise<Seeds> {
  const models = [mixedNet(), exportedNet(), sequenceNet()].map(writeModel);
  const to = (name: string): string => join(folder, name);
  const random = new Random(9);
  const x = Float32Array.from({ length: 12 * 72 }, () => random.normal());
  const y = Int32Array.from({ length: 12 }, (_, i) => i % 3);
  await writeFile(to('data.npz'), writeNpz({ x: npyArray([12, 2, 6, 6], x), y: npyArray([12], y) }));
  await writeFile(to('model.onnx'), models[0] as Uint8Array);
  await writeFile(to('image.onnx'), writeModel(imageNet()));
  await writeFile(to('beats.onnx'), writeModel(beatNet()));
  await writeImages(to('images'), random);
  await writeRecord(to('wfdb'), random);
  const net = canonicalGraph(mixedNet());
  await writeBundle(to('bundle'), contentsOf(net, { seconds: true, name: 'net' }));
  const fleet = fleetOfThree();
  await writeFile(to('fleet.json'), JSON.stringify(fleet));
  for (const file of ['policy.onnx', 'policy.json'])
    await copyFile(POLICY.replace(/policy\.onnx$/, file), to(file));
  const ward = [to('bundle'), '--fleet', to('fleet.json'), '--requests', '3', '--solver', 'local'];
  await runHere(['simulate', ...ward, '--record', to('trace.jsonl'), '--json', '--quiet']);
  const request = {
    deadline: 10,
    weights: { time: 1, energy: 0.25, accuracy: 3 },
    accuracyDrop: 0.2,
    levels: 'free',
  };
  const signer = signerOf(newSigningKey());
  const of = { servers: ['tls://127.0.0.1:1'], ca: 'x', signer };
  const { credentials } = newCredentials({ role: 'observer', name: 'a' }, of);
  // Of a format that has moved on, all would be refused for that alone.
  await writeFile(to('observer.json'), JSON.stringify(credentials));
  await findAccess({ credentials: to('observer.json') }, ['observer']);
  return { models, fleet, request, credentials };
}

async function writeImages(folder: string, random: Random): Promise<void> {
  for (const [label, kind] of ['png', 'jpeg', 'png'].entries()) {
    const dir = join(folder, `c${label}`);
    await mkdir(dir, { recursive: true });
    for (let i = 0; i < 2; i++) {
      const pixels = Uint8Array.from({ length: 192 }, () => random.integer(256));
      const image = sharp(pixels, { raw: { width: 8, height: 8, channels: 3 } });
      await image
        .toFormat(kind as 'png' | 'jpeg')
        .toFile(join(dir, `${i}.${kind === 'png' ? 'png' : 'jpg'}`));
    }
  }
}

async function writeRecord(folder: string, random: Random): Promise<void> {
  await mkdir(folder);
  await writeFile(
    join(folder, 'r.hea'),
    'r 2 360 2400\nr.dat 16 200 11 0 0 0 0 MLII\nr.dat 16 200 11 0 0 0 0 V1\n',
  );
  const samples = Int16Array.from({ length: 4800 }, () => random.integer(400) - 200);
  await writeFile(join(folder, 'r.dat'), new Uint8Array(samples.buffer));
  const words = Uint16Array.from([1, 5, 1, 8, 6, 12, 1], (code) => (code << 10) | 300);
  await writeFile(join(folder, 'r.atr'), Buffer.concat([new Uint8Array(words.buffer), Buffer.alloc(2)]));
}

function fleetOfThree(): unknown {
  const device = (name: string, trusted = true) => ({
    ...{ name, macsPerSecond: 1e8, memory: 1e8, joulesPerMac: 1e-9, trusted },
  });
  return {
    ...{ format: 'bedside-fleet', version: 1, name: 'room', source: 'a' },
    devices: [device('a'), device('b'), device('c', false)],
    network: {
      ...{ channel: 'shared', bytesPerSecond: 1e6, latency: 0.001 },
      ...{ joulesPerByteSent: 1e-8, joulesPerByteReceived: 1e-8 },
    },
    links: [{ from: 'a', to: 'b', bytesPerSecond: 2e6, latency: 0.002 }],
  };
}

/** The files of the bundle, by what they are. */
export async function bundleFiles(
  folder: string,
): Promise<{ manifest: unknown; model: Uint8Array; weights: Uint8Array }> {
  const text = await readFile(join(folder, 'bundle', 'bundle.json'), 'utf8');
  const { sha256: _, ...manifest } = JSON.parse(text) as {
    sha256: string;
    model: { file: string };
    weights: { file: string };
  };
  const read = (file: string): Promise<Uint8Array> => readFile(join(folder, 'bundle', file));
  return { manifest, model: await read(manifest.model.file), weights: await read(manifest.weights.file) };
}
