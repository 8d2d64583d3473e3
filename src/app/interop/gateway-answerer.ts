// Images answered by a gateway, which plans each request, over its protocol.
import type { Bundle } from '../../bundle/index.ts';
import type { ServerAccess } from '../../interop/index.ts';
import type { AnsweredBy } from '../../interop/internal.ts';
import { sizeOf } from '../../onnx/internal.ts';
import { BedsideError } from '../../util/index.ts';
import { type AnswerForm, answerForm } from '../explain/answers.ts';
import { GatewayModel } from '../gateway-model.ts';
import { answeredBy } from './answered-by.ts';
import type { AnsweredImageScores, FrameChoice, ImageAnswerer } from './answerer.ts';
import { preparedImage } from './one-frame.ts';

const TIMEOUT = 120;

/** A gateway that serves the bundle. The bundle itself says what answers mean. */
export class GatewayAnswerer implements ImageAnswerer {
  readonly by: AnsweredBy;
  readonly form: AnswerForm;
  readonly #bundle: Bundle;
  readonly #model: GatewayModel;

  private constructor(bundle: Bundle, by: AnsweredBy, model: GatewayModel) {
    this.by = by;
    this.form = answerForm(bundle);
    this.#bundle = bundle;
    this.#model = model;
  }

  /**
   * Asks the gateway whether it serves the same bundle.
   * @throws BedsideError E_USAGE for its address; E_FABRIC when it cannot be asked; E_NOT_FOUND; E_BUNDLE_HASH for another bundle of
   *   that name
   */
  static async open(bundle: Bundle, access: ServerAccess): Promise<GatewayAnswerer> {
    const model = new GatewayModel(bundle, access);
    const own = new GatewayAnswerer(bundle, await answeredBy(bundle), model);
    const { properties } = await own.#ask('GET', '');
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
      this.#ask('POST', parameters(explain), {
        ...{ body: typeof body === 'function' ? body(explain) : body, type, signal },
      });
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
        `the gateway ${this.#model.host} did not answer as its protocol says`,
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model[Symbol.asyncDispose]();
  }

  /** A sample as the Open Inference Protocol writes it, with or without its relevance. */
  #tensorOf(sample: Float32Array): (explain: boolean) => Uint8Array {
    const { name, shape } = this.#bundle.manifest.model.input;
    const data = Array.from(sample);
    return (explain) => {
      const inputs = [{ name, shape: [1, ...shape], datatype: 'FP32', data }];
      return Buffer.from(JSON.stringify({ inputs, ...(explain ? { parameters: { explain } } : {}) }));
    };
  }

  #ask(
    method: 'GET' | 'POST',
    path: string,
    { body, type, signal }: { body?: Uint8Array; type?: string; signal?: AbortSignal } = {},
  ): Promise<Record<string, unknown>> {
    const headers = type === undefined ? undefined : { 'content-type': type };
    return this.#model.ask({ method, path, headers, body, signal, timeout: TIMEOUT });
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
