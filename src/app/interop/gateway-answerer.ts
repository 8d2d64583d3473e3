// Images answered by a gateway, which plans each request, over its protocol.
import type { Bundle } from '../../bundle/index.ts';
import type { ServerAccess } from '../../interop/index.ts';
import type { AnsweredBy } from '../../interop/internal.ts';
import { ask, checkedUrl, hostOf } from '../../interop/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError, ERROR_CODES, type ErrorCode } from '../../util/index.ts';
import { type AnswerForm, answerForm } from '../explain/answers.ts';
import { answeredBy } from './answered-by.ts';
import type { AnsweredImageScores, FrameChoice, ImageAnswerer } from './answerer.ts';
import { preparedImage } from './one-frame.ts';

const TIMEOUT = 120;
const MOST_ANSWER = 512 * 2 ** 20;

/** A gateway that serves the bundle. The bundle itself says what answers mean. */
export class GatewayAnswerer implements ImageAnswerer {
  readonly by: AnsweredBy;
  readonly form: AnswerForm;
  readonly #bundle: Bundle;
  readonly #access: ServerAccess;
  readonly #base: string;

  private constructor(bundle: Bundle, by: AnsweredBy, access: ServerAccess, base: string) {
    this.by = by;
    this.form = answerForm(bundle);
    this.#bundle = bundle;
    this.#access = access;
    this.#base = base;
  }

  /**
   * Asks the gateway whether it serves the same bundle.
   * @throws BedsideError E_USAGE for its address; E_FABRIC when it cannot be asked; E_NOT_FOUND; E_BUNDLE_HASH for another bundle of
   *   that name
   */
  static async open(bundle: Bundle, access: ServerAccess): Promise<GatewayAnswerer> {
    const base = checkedUrl(access, 'gateway');
    const own = new GatewayAnswerer(bundle, await answeredBy(bundle), access, base);
    const { properties } = await own.#ask('GET', '', undefined, {});
    if ((properties as { bundle?: unknown } | undefined)?.bundle !== bundle.sha256) {
      throw new BedsideError('E_BUNDLE_HASH', `the gateway serves another bundle '${bundle.manifest.name}'`, {
        hint: 'answers would be read by the wrong one: serve this bundle, or name that one',
      });
    }
    return own;
  }

  async answer(image: Uint8Array, signal: AbortSignal, frame?: FrameChoice): Promise<AnsweredImageScores> {
    const prepared = frame && (await preparedImage(this.#bundle, image, frame));
    const type = prepared ? 'application/json' : 'application/dicom';
    const body = prepared ? this.#tensorOf(prepared.sample) : image;
    const parameters = (explain: boolean): string =>
      // A tensor says its parameters itself.
      prepared ? '/infer' : `/infer?with_input=true${explain ? '&explain=true' : ''}`;
    const asked = (explain: boolean) =>
      this.#ask(
        'POST',
        parameters(explain),
        typeof body === 'function' ? body(explain) : body,
        { 'content-type': type },
        signal,
      );
    const answer = await asked(true).catch(async (error: unknown) => {
      const isUnexplained = BedsideError.is(error, 'E_UNSUPPORTED') || BedsideError.is(error, 'E_FORBIDDEN');
      if (!isUnexplained) throw error;
      // A network that relevance cannot cross, or a token that may not ask for it: answered without a heat map.
      return await asked(false);
    });
    const { input, output } = this.#bundle.manifest.model;
    const outputs = new Map(outputsOf(answer).map((own) => [own.name, own.data]));
    const scores = floats(outputs.get(output.name), output.classes);
    const sample = prepared?.sample ?? floats(outputs.get(`${input.name}_read`), sizeOf(input.shape));
    const relevance = floats(outputs.get(`${input.name}_relevance`), sizeOf(input.shape));
    if (!scores || !sample) {
      throw new BedsideError(
        'E_FABRIC',
        `the gateway ${hostOf(this.#base)} did not answer as its protocol says`,
      );
    }
    const { levels, devices, remarks, fallback } = answer.parameters as Record<string, unknown>;
    return {
      ...{ scores, sample, relevance },
      levels: text(levels).split(',').map(Number),
      policy: `the gateway${fallback === 'taken' ? ', again by the unpruned network since the first answer was unsure' : ''}`,
      devices: text(devices)
        .split(',')
        .filter((name) => name !== ''),
      remarks: [
        ...(prepared?.remarks ?? []),
        ...(typeof remarks === 'string' && remarks !== '' ? [remarks] : []),
        ...(relevance
          ? []
          : ['There is no heat map: the gateway does not explain this network, or not to this token.']),
      ],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** A sample as the Open Inference Protocol writes it, with or without its relevance. */
  #tensorOf(sample: Float32Array): (explain: boolean) => Uint8Array {
    const { name, shape } = this.#bundle.manifest.model.input;
    const data = Array.from(sample);
    return (explain) => {
      const inputs = [{ name, shape: [1, ...shape], datatype: 'FP32', data }];
      return Buffer.from(JSON.stringify({ inputs, ...(explain ? { parameters: { explain } } : {}) }));
    };
  }

  /** @throws BedsideError with the gateway's own code; E_FABRIC */
  async #ask(
    method: 'GET' | 'POST',
    query: string,
    body: Uint8Array | undefined,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Record<string, unknown>> {
    const path = `/v2/models/${encodeURIComponent(this.#bundle.manifest.name)}${query}`;
    const asked = { method, path, headers, body, signal, timeout: TIMEOUT, most: MOST_ANSWER };
    const answer = await ask(this.#access, this.#base, asked);
    let said: Record<string, unknown> = {};
    try {
      said = JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>;
    } catch {
      // Told below.
    }
    if (answer.status === 200) return said;
    const code = (ERROR_CODES as readonly unknown[]).includes(said.code)
      ? (said.code as ErrorCode)
      : 'E_FABRIC';
    throw new BedsideError(code, `the gateway ${hostOf(this.#base)} answered ${answer.status}`, {
      ...(typeof said.error === 'string' ? { hint: said.error } : {}),
    });
  }
}

function outputsOf({ outputs }: Record<string, unknown>): { name: string; data: unknown }[] {
  return Array.isArray(outputs) ? (outputs as { name: string; data: unknown }[]) : [];
}

/** So many numbers; undefined where it is none or others. */
function floats(data: unknown, count: number): Float32Array | undefined {
  if (!Array.isArray(data) || data.length !== count) return undefined;
  return data.every((own) => typeof own === 'number') ? Float32Array.from(data as number[]) : undefined;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
