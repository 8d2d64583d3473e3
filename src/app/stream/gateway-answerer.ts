// Answers of a gateway over HTTP, by the Open Inference Protocol, version 2.
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { GatewayModel } from '../gateway-model.ts';
import { type Answerer, type Scored, windowSize } from './answerer.ts';

/** Which gateway, and as whom. */
export interface GatewayAccess {
  /** Such as `https://gateway:8500`; plain HTTP on this machine alone. */
  readonly gateway: string;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
  /** Certificates of its authority, in PEM; default: those that Node trusts. */
  readonly ca?: string | undefined;
  /** Whether samples may go to another machine over plain HTTP. */
  readonly plainHttp?: boolean | undefined;
  /** Seconds that a request may take; default: what the gateway takes. */
  readonly deadline?: number | undefined;
}

/** The gateway's own deadline answers first; beyond it so many seconds, the connection is given up. */
const GRACE_SECONDS = 5;
const LONGEST_SECONDS = 60;

interface ServedInput {
  readonly name: string;
  readonly shape: readonly number[];
}

/**
 * Answers by the gateway's model of the bundle's name.
 * @throws BedsideError E_USAGE for an address that is none, or is plain HTTP to another machine; E_FABRIC where it is not reached; E_AUTH, E_NOT_FOUND as it says;
 *   E_BUNDLE where its model reads other windows
 */
export async function gatewayAnswerer(
  bundle: Bundle,
  access: GatewayAccess,
): Promise<Answerer & AsyncDisposable> {
  const { name } = bundle.manifest;
  const { gateway: url, token, deadline, ca, plainHttp } = access;
  const model = new GatewayModel(bundle, { url, ca, plainHttp, token: async () => token });
  const timeout = (deadline ?? LONGEST_SECONDS) + GRACE_SECONDS;
  const facts = (await model.ask({ method: 'GET', path: '', timeout })) as {
    inputs?: readonly ServedInput[];
  };
  const [input, ...others] = facts.inputs ?? [];
  const size = input && sizeOf(input.shape.slice(1));
  if (!input || others.length > 0 || size !== windowSize(bundle)) {
    throw new BedsideError(
      'E_BUNDLE',
      `the gateway's model '${name}' does not read the windows of ${bundle.dir}`,
      {
        hint: 'serve the same bundle that is streamed',
      },
    );
  }
  const scores = sizeOf(taskOf(bundle.manifest).outputShape);
  return {
    lost: [],
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
    async answer(window) {
      const body = {
        inputs: [
          {
            name: input.name,
            shape: [1, ...input.shape.slice(1)],
            datatype: 'FP32',
            data: Array.from(window),
          },
        ],
        ...(deadline === undefined ? {} : { parameters: { deadline } }),
      };
      const headers = { 'content-type': 'application/json' };
      const question = {
        method: 'POST',
        path: '/infer',
        headers,
        body: JSON.stringify(body),
        timeout,
      } as const;
      return scoredOf(await model.ask(question), scores);
    },
  };
}

function scoredOf(answer: unknown, size: number): Scored {
  const { outputs, parameters = {} } = answer as {
    outputs?: readonly { readonly data?: readonly unknown[] }[];
    parameters?: Record<string, unknown>;
  };
  const data = outputs?.[0]?.data;
  if (!Array.isArray(data) || data.length !== size || !data.every((value) => typeof value === 'number')) {
    throw new BedsideError('E_FABRIC', 'the gateway answered without scores', {
      hint: 'run one version of bedside here and there',
    });
  }
  const list = (value: unknown): string[] =>
    typeof value === 'string' && value !== '' ? value.split(',') : [];
  return {
    scores: Float32Array.from(data as number[]),
    levels: list(parameters.levels).map(Number),
    devices: list(parameters.devices),
    fallback: String(parameters.fallback ?? 'none'),
    replanned: Number(parameters.replanned ?? 0),
    confidence: Number(parameters.confidence ?? Number.NaN),
  };
}
