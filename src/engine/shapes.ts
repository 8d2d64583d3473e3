// Shapes that no rule gives, from the engine itself: the model runs at two batch sizes with the values in question as
// outputs, so that the batch's place in each shape is known too. Most models need none of it, and are not run.
import type { Model } from '../onnx/index.ts';
import {
  askedFirst,
  batchSymbols,
  declarationOf,
  describeNode,
  type MeasuredShape,
  producers,
  type Value,
  valuesWithoutShape,
  withDeclarations,
} from '../onnx/internal.ts';
import { BedsideError, messageOf, must } from '../util/index.ts';
import { Random } from '../util/internal.ts';
import { openSession } from './node.ts';
import { ELEM_TYPES, feedsOf } from './trial-feeds.ts';
import { engineWords } from './words.ts';

/** Neither is 1, at which axes may be dropped, and neither is a multiple of the other. */
const BATCHES = [2, 3] as const;

/**
 * The same model with the shapes of all values that no rule gives, as the engine computes them; what the file declares
 * of these is not believed. Values whose size depends on the data stay without. A model whose shapes all follow from
 * rules is given back as it is, and not run.
 * @param name how messages call the model
 * @throws BedsideError E_ENGINE, naming the operator whose shape is wanted, when the engine cannot run the model;
 *   otherwise as `inferShapes`
 */
export async function withEngineShapes(model: Model, name: string): Promise<Model> {
  const wanted = valuesWithoutShape(model);
  if (wanted.length === 0) return model;
  const declared = await declarations(model, askedFirst(model, wanted), name);
  const rest = valuesWithoutShape(model, declared).filter((value) => !declared.has(value));
  if (rest.length > 0) {
    for (const [value, declaration] of await declarations(model, rest, name))
      declared.set(value, declaration);
  }
  return withDeclarations(model, declared, wanted);
}

async function declarations(
  model: Model,
  values: readonly string[],
  name: string,
): Promise<Map<string, Value>> {
  const { graph } = model;
  // A model that fixes its batch runs at that one alone.
  const batches = batchSymbols(graph).size > 0 ? BATCHES : ([1, 1] as const);
  const [first, second] = await measure(model, values, batches, name);
  const found = new Map<string, Value>();
  for (const [value, one] of first) {
    const other = second.get(value);
    if (other) found.set(value, declarationOf(graph, value, [one, other], batches));
  }
  return found;
}

type Run = ReadonlyMap<string, MeasuredShape>;

/** The engine's results for `values` at both batch sizes, without those that it cannot give at all (sequences). */
async function measure(
  model: Model,
  values: readonly string[],
  batches: readonly [number, number],
  name: string,
): Promise<readonly [Run, Run]> {
  try {
    return await runTwice(model, values, batches, name);
  } catch (cause) {
    // Either the model does not run at all, or one of the values cannot be an output.
    await runTwice(model, [], batches, name).catch(() => {
      throw cannotRun(model, values, name, cause);
    });
  }
  const [first, second] = [new Map<string, MeasuredShape>(), new Map<string, MeasuredShape>()];
  // By halves, down to the values that cannot be had.
  const waiting: (readonly string[])[] = [values];
  for (let tries = 0; waiting.length > 0 && tries < MOST_TRIES; tries++) {
    const part = waiting.pop() ?? [];
    const runs = await runTwice(model, part, batches, name).catch(() => undefined);
    const half = Math.ceil(part.length / 2);
    if (!runs && part.length > 1) waiting.push(part.slice(half), part.slice(0, half));
    for (const [key, measured] of runs?.[0] ?? []) first.set(key, measured);
    for (const [key, measured] of runs?.[1] ?? []) second.set(key, measured);
  }
  return [first, second];
}

/** Values that are not found by then stay unknown, and whatever needs them names them. */
const MOST_TRIES = 200;

async function runTwice(
  model: Model,
  values: readonly string[],
  [first, second]: readonly [number, number],
  name: string,
): Promise<readonly [Run, Run]> {
  const session = await openSession(withOutputs(model, values), { name, optimization: 'disabled' });
  const wanted = values.length > 0 ? values : model.graph.outputs.map((value) => value.name);
  const random = new Random(1);
  const run = async (batch: number): Promise<Run> => {
    const results = await session.run(feedsOf(model, batch, random), [...wanted]);
    return new Map(
      values.map((value): [string, MeasuredShape] => {
        const { dims, type } = must(results[value], `value '${value}'`);
        return [value, { dims: [...dims], elemType: ELEM_TYPES[type] ?? 0 }];
      }),
    );
  };
  try {
    const one = await run(first);
    return [one, second === first ? one : await run(second)];
  } finally {
    await session.release();
  }
}

/** The model with more outputs, and without anything that it says of intermediate shapes. */
function withOutputs(model: Model, values: readonly string[]): Model {
  const { graph } = model;
  const own = new Set(graph.outputs.map((value) => value.name));
  const more = values.filter((value) => !own.has(value));
  const { carried } = graph;
  return {
    ...model,
    graph: {
      ...graph,
      outputs: [
        ...graph.outputs.map((value) => ({ ...value, dims: undefined })),
        ...more.map((value): Value => ({ name: value, elemType: 0, dims: undefined })),
      ],
      ...(carried ? { carried: { ...carried, valueInfo: [] } } : {}),
    },
  };
}

function cannotRun(model: Model, values: readonly string[], name: string, cause: unknown): BedsideError {
  const node = producers(model.graph).get(values[0] ?? '');
  const operator = node ? describeNode(node) : `'${values[0]}'`;
  return new BedsideError(
    'E_ENGINE',
    `${name}: the shape behind ${operator} is the engine's to give, which cannot run the model: ${engineWords(messageOf(cause))}`,
    {
      hint: 'check that ONNX Runtime runs the model; otherwise export it with operators that it has (docs/operators.md lists those with shape rules)',
      cause,
    },
  );
}
