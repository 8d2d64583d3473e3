// What arrives over a wire, as bytes that may be damaged: taken apart as by a socket or a server, checked as by a node, and
// heard by a worker.
import { type Bundle, openBundle } from '../../bundle/index.ts';
import { tensor } from '../../engine/index.ts';
import { BedsideError, must } from '../../util/index.ts';
import { Device } from '../device/device.ts';
import { Worker } from '../device/worker.ts';
import { FrameReader } from '../local/frames.ts';
import { Assembler, encodeChunks } from '../nats/transport/chunks.ts';
import { isValidMessage } from '../nats/transport/message-validation.ts';
import { deserializeError } from '../protocol/error-codec.ts';
import type { Endpoint, Fabric } from '../protocol/fabric.ts';
import type { NodeMessage } from '../protocol/messages.ts';
import { type RunPlan, wholePlan } from '../protocol/plan.ts';
import { fromWire, toWire } from '../protocol/wire.ts';

/** The node that messages come from, and the one that hears them. */
const FROM = 'coordinator/x';
const OWN = 'a';

/** Milliseconds after which a question without an answer is a fault. */
const PATIENCE_MS = 10_000;

/** A message in the two pieces that travel: JSON, and the numbers of a tensor. */
export interface WireParts {
  readonly message: object;
  readonly plan?: RunPlan | undefined;
  readonly numbers: Float32Array;
}

const bundles = new Map<string, Promise<Bundle>>();

/** One message of each kind that a worker hears, for the bundle in a folder. */
export async function wireMessages(folder: string): Promise<WireParts[]> {
  const bundle = await open(folder);
  const { manifest, sha256 } = bundle;
  const plan = wholePlan(manifest, new Array<number>(manifest.groups.length).fill(0), OWN);
  const shape = [1, ...manifest.model.input.shape.slice(1)];
  const numbers = new Float32Array(shape.reduce((product, dim) => product * dim, 1)).fill(0.5);
  const of = { request: 'r1', epoch: 0, requester: FROM, remaining: 5000 };
  const assigned = { ...of, bundle: sha256, samples: 1 };
  const none = new Float32Array(0);
  return [
    { message: { kind: 'part', ...assigned, stage: -1, segment: 0, tensor: { dims: shape } }, plan, numbers },
    { message: { kind: 'part', ...of, stage: 0, segment: 0, tensor: { dims: shape } }, numbers },
    { message: { kind: 'plan', ...assigned }, plan, numbers: none },
    { message: { kind: 'warm', id: 'w', bundle: sha256 }, plan, numbers: none },
    { message: { kind: 'measure', id: 'm', bundle: sha256 }, numbers: none },
    { message: { kind: 'ask', id: 'q' }, numbers: none },
    { message: { kind: 'end', request: 'r1' }, numbers: none },
    { message: { kind: 'failed', ...of, error: { code: 'E_DEVICE', message: 'x' } }, numbers: none },
  ];
}

/** The head of a tensor as nodes write it; undefined for another message. */
export function compactHead({ message, plan, numbers }: WireParts): Buffer | undefined {
  const { kind, tensor: said } = message as { readonly kind: string; readonly tensor?: { dims: number[] } };
  if (kind !== 'part' || !said) return undefined;
  const whole = { ...message, ...(plan ? { plan } : {}), tensor: tensor(numbers, said.dims) };
  return toWire(whole as unknown as NodeMessage).head;
}

/** The bytes of a message as frames of a socket, or as chunks of a server. */
export function wireBytes(how: 'frame' | 'chunks', head: Buffer, numbers: Float32Array): Uint8Array[] {
  const body = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  if (how === 'chunks') {
    const owner = { request: 'r1', epoch: 0, requester: FROM, remaining: 5000 };
    return [...encodeChunks(1, { head, body }, owner, 512)];
  }
  const sizes = Buffer.alloc(8);
  sizes.writeUInt32LE(head.length, 0);
  sizes.writeUInt32LE(body.length, 4);
  return [Buffer.concat([sizes, head, body])];
}

/**
 * Has a worker hear bytes.
 * @throws BedsideError with which the bytes or the message were refused; Error for a question that nobody answered
 */
export async function hear(
  folder: string,
  how: 'frame' | 'chunks',
  pieces: readonly Uint8Array[],
): Promise<void> {
  const message = received(how, pieces);
  if (!isValidMessage(FROM, message)) throw ignored();
  const worker = new Worker(new Device({ name: OWN }, [await open(folder)]));
  const sent: NodeMessage[] = [];
  const endpoint: Endpoint = {
    ...{ name: OWN, watch: () => {}, leave: () => {} },
    send: (_, answer) => void sent.push(answer),
    close: async () => {},
  };
  const fabric: Fabric = { join: async () => endpoint };
  await worker.join(fabric);
  try {
    worker.receive(FROM, message);
    const asked = 'id' in message && ['warm', 'measure', 'ask'].includes(message.kind);
    const end = performance.now() + PATIENCE_MS;
    while (asked && !sent.some(({ kind }) => kind !== 'working')) {
      if (performance.now() > end) throw new Error(`no answer to ${JSON.stringify(message).slice(0, 200)}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  } finally {
    await worker.close();
  }
  for (const answer of sent) if ('error' in answer && answer.error) throw deserializeError(answer.error);
}

function open(folder: string): Promise<Bundle> {
  const known = bundles.get(folder) ?? openBundle(folder);
  bundles.set(folder, known);
  return known;
}

/** The message of the bytes. @throws BedsideError where they are none, or not the whole of one */
function received(how: 'frame' | 'chunks', pieces: readonly Uint8Array[]): NodeMessage {
  const heard: NodeMessage[] = [];
  if (how === 'frame') {
    const reader = new FrameReader((frame) => void heard.push(frame as NodeMessage));
    for (const piece of pieces) reader.push(Buffer.from(piece));
  } else {
    const failures: unknown[] = [];
    const assembler = new Assembler(
      {
        whole: (_, head, data) => {
          try {
            heard.push(fromWire(head, data));
          } catch (error) {
            failures.push(error);
          }
        },
        givenUp: () => {},
      },
      {},
    );
    for (const piece of pieces) assembler.take(FROM, Buffer.from(piece));
    assembler.clear();
    if (failures.length > 0) throw failures[0];
  }
  return must(heard[0] ?? lost(), 'a message');
}

function lost(): never {
  throw new BedsideError('E_FABRIC', 'no whole message arrived', { hint: 'it is asked for again' });
}

function ignored(): BedsideError {
  return new BedsideError('E_FABRIC', 'a malformed message is ignored', { hint: 'it changes nothing' });
}
