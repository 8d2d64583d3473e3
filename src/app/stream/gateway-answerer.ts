// Answers of a gateway over HTTP, by the Open Inference Protocol, version 2.
import type { Bundle } from '../../bundle/index.ts';
import { taskOf } from '../../bundle/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError, ERROR_CODES, type ErrorCode, messageOf, plainLine } from '../../util/index.ts';
import { type Answerer, type Scored, windowSize } from './answerer.ts';

/** Which gateway, and as whom. */
export interface GatewayAccess {
  /** Such as `http://127.0.0.1:8500`. */
  readonly gateway: string;
  /** Sent as a bearer token. */
  readonly token?: string | undefined;
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
 * @throws BedsideError E_USAGE for an address that is none; E_FABRIC where it is not reached; E_AUTH, E_NOT_FOUND as it says;
 *   E_BUNDLE where its model reads other windows
 */
export async function gatewayAnswerer(bundle: Bundle, access: GatewayAccess): Promise<Answerer> {
  const { name } = bundle.manifest;
  const url = `${addressOf(access.gateway)}/v2/models/${encodeURIComponent(name)}`;
  const facts = (await asked(url, access)) as { inputs?: readonly ServedInput[] };
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
        ...(access.deadline === undefined ? {} : { parameters: { deadline: access.deadline } }),
      };
      return scoredOf(await asked(`${url}/infer`, access, body), scores);
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
    throw new BedsideError('E_FABRIC', 'the gateway answered without scores', { hint: 'check its version' });
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

/** @throws BedsideError with the gateway's code, or E_FABRIC where it is not reached */
async function asked(
  url: string,
  { token, deadline = LONGEST_SECONDS }: GatewayAccess,
  body?: object,
): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      signal: AbortSignal.timeout(1000 * (deadline + GRACE_SECONDS)),
      headers: {
        ...(body ? { 'content-type': 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });
    text = await response.text();
  } catch (cause) {
    const why = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
    throw new BedsideError('E_FABRIC', `the gateway is not reached: ${plainLine(why)}`, {
      hint: 'is bedside serve running at this address?',
      cause,
    });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BedsideError('E_FABRIC', `the gateway answered with status ${response.status} and no JSON`, {
      hint: 'is the address that of bedside serve?',
      cause,
    });
  }
  if (response.ok && typeof value === 'object' && value !== null) return value;
  const { error, code } = (value ?? {}) as { error?: unknown; code?: unknown };
  const known = ERROR_CODES.find((own): own is ErrorCode => own === code);
  throw new BedsideError(
    known ?? 'E_FABRIC',
    `the gateway refused: ${plainLine(String(error ?? response.status))}`,
    {
      hint: known === 'E_AUTH' ? 'give a token with --token-file' : 'see docs/gateway.md',
    },
  );
}

function addressOf(gateway: string): string {
  if (/^https?:\/\/[^\s/]+\/?$/.test(gateway) && URL.canParse(gateway)) return gateway.replace(/\/$/, '');
  throw new BedsideError('E_USAGE', `'${gateway}' is not the address of a gateway`, {
    hint: 'such as http://127.0.0.1:8500',
  });
}
