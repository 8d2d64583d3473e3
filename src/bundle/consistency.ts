// Checks that the parts of a manifest agree with each other, beyond what the schema checks of each part.
import { levelsKey } from './levels.ts';
import { type BundleLayer, type BundleManifest, type Share, UNTASKED_VERSION } from './manifest.ts';
import { recallsOf } from './task.ts';

/** Sums of shares may exceed 1 by rounding. */
const EPSILON = 1e-6;

/** The first contradiction in a manifest (the field, its value, the allowed values), or undefined. */
export function contradiction(manifest: BundleManifest): string | undefined {
  for (const found of contradictions(manifest)) return found;
  return undefined;
}

function* contradictions(manifest: BundleManifest): Generator<string> {
  yield* ofTask(manifest);
  yield* ofRatios(manifest);
  yield* ofGroups(manifest);
  yield* ofLayers(manifest);
  yield* ofStages(manifest);
  yield* ofEightBit(manifest);
  yield* ofAccuracy(manifest);
  yield* ofVariants(manifest);
}

function* ofTask({ task, version, model }: BundleManifest): Generator<string> {
  if (!task) return;
  if (version <= UNTASKED_VERSION)
    yield wrong('version', version, `more than ${UNTASKED_VERSION}, as there is a task`);
  const { outputShape, classes, labels } = task;
  const values = outputShape.reduce((product, size) => product * size, 1);
  if (values !== model.output.classes) {
    yield wrong('task.outputShape', outputShape, `a product of ${model.output.classes}, the output's values`);
  }
  if (labels) yield* lengthOf('task.labels', labels, classes, 'classes');
}

function* ofRatios({ ratios }: BundleManifest): Generator<string> {
  if (ratios[0] !== 0) yield wrong('ratios[0]', ratios[0], '0');
  for (const [i, ratio] of ratios.entries()) {
    if (i > 0 && ratio <= (ratios[i - 1] as number)) {
      yield wrong(`ratios[${i}]`, ratio, `more than ratios[${i - 1}], ${ratios[i - 1]}`);
    }
  }
}

function* ofGroups({ groups, ratios, layers }: BundleManifest): Generator<string> {
  const names = new Set(layers.map((layer) => layer.name));
  for (const [i, { id, channels, counts, layers: own }] of groups.entries()) {
    const at = `groups[${i}]`;
    if (id !== i) yield wrong(`${at}.id`, id, String(i));
    yield* lengthOf(`${at}.counts`, counts, ratios.length, 'ratios');
    if (counts[0] !== channels) yield wrong(`${at}.counts[0]`, counts[0], `${channels}, its channels`);
    for (const [level, count] of counts.entries()) {
      const before = counts[level - 1] ?? count;
      if (count > before) yield wrong(`${at}.counts[${level}]`, count, `1 to ${before}, not ascending`);
    }
    for (const name of own) if (!names.has(name)) yield wrong(`${at}.layers`, name, 'the name of a layer');
  }
}

function* ofLayers({ layers, stages, groups, ratios }: BundleManifest): Generator<string> {
  const seen = new Set<string>();
  for (const [i, layer] of layers.entries()) {
    const at = `layers[${i}]`;
    if (seen.has(layer.name)) yield wrong(`${at}.name`, layer.name, 'a name of its own');
    seen.add(layer.name);
    const stage = stages[layer.stage];
    if (!stage) yield wrong(`${at}.stage`, layer.stage, `0 to ${stages.length - 1}`);
    else if (!stage.layers.includes(layer.name)) {
      yield wrong(`stages[${layer.stage}].layers`, stage.layers, `a list with '${layer.name}' in it`);
    }
    for (const field of ['inputs', 'outputs', 'reads'] as const) {
      yield* ofShares(`${at}.${field}`, layer[field], groups.length);
    }
    yield* ofReads(at, layer);
    if (layer.seconds) {
      yield* lengthOf(`${at}.seconds`, layer.seconds, ratios.length, 'ratios');
      for (const [level, row] of layer.seconds.entries()) {
        yield* lengthOf(`${at}.seconds[${level}]`, row, ratios.length, 'ratios');
      }
    }
  }
}

/** A layer sums over all that it reads, or (depthwise) over nothing. */
function* ofReads(at: string, { inputs, reads }: BundleLayer): Generator<string> {
  const text = (shares: readonly Share[]): string => shares.map((s) => `${s.group}:${s.share}`).join();
  if (inputs.length > 0 && text(inputs) !== text(reads)) {
    yield wrong(`${at}.reads`, reads, 'the same as inputs, unless inputs is empty');
  }
}

function* ofShares(at: string, shares: readonly Share[], groups: number): Generator<string> {
  const seen = new Set<number>();
  let sum = 0;
  for (const [i, { group, share }] of shares.entries()) {
    if (group >= groups)
      yield wrong(`${at}[${i}].group`, group, groups === 0 ? 'none' : `0 to ${groups - 1}`);
    if (seen.has(group)) yield wrong(`${at}[${i}].group`, group, 'each group at most once');
    seen.add(group);
    sum += share;
  }
  if (sum > 1 + EPSILON) yield `${at} has shares with the sum ${sum}: expected at most 1`;
}

function* ofStages({ stages, layers, groups, ratios, model }: BundleManifest): Generator<string> {
  const stageOf = new Map(layers.map((layer) => [layer.name, layer.stage]));
  const nodes = new Set<string>();
  for (const [i, stage] of stages.entries()) {
    const at = `stages[${i}]`;
    if (stage.index !== i) yield wrong(`${at}.index`, stage.index, String(i));
    const before = i === 0 ? model.input.name : stages[i - 1]?.output;
    if (stage.input !== before) yield wrong(`${at}.input`, stage.input, `'${before}', which comes before it`);
    for (const name of stage.layers) {
      if (stageOf.get(name) !== i) yield wrong(`${at}.layers`, name, `layers whose stage is ${i}`);
      if (!stage.nodes.includes(name)) yield wrong(`${at}.nodes`, stage.nodes, `a list with '${name}' in it`);
    }
    for (const name of stage.nodes) {
      if (nodes.has(name)) yield wrong(`${at}.nodes`, name, 'each node in one stage only');
      nodes.add(name);
    }
    yield* ofShares(`${at}.outputShares`, stage.outputShares, groups.length);
    for (const [k, product] of (stage.products ?? []).entries()) {
      yield* ofShares(`${at}.products[${k}].shares`, product.shares, groups.length);
    }
    const { split, splitGroup } = stage;
    if (split === 'partial-sums' && splitGroup === undefined)
      yield wrong(`${at}.splitGroup`, undefined, 'a group');
    if (splitGroup !== undefined && splitGroup >= groups.length) {
      yield wrong(`${at}.splitGroup`, splitGroup, `0 to ${groups.length - 1}`);
    }
    if (stage.seconds) yield* lengthOf(`${at}.seconds`, stage.seconds, ratios.length, 'ratios');
  }
  const last = stages.at(-1)?.output;
  if (last !== model.output.name) {
    yield wrong(`stages[${stages.length - 1}].output`, last, `'${model.output.name}', the model's output`);
  }
}

function* ofEightBit({ eightBit, stages, ratios }: BundleManifest): Generator<string> {
  if (!eightBit) return;
  yield* lengthOf('eightBit', eightBit, stages.length, 'stages');
  for (const [i, { layers, values, seconds }] of eightBit.entries()) {
    const [first] = values;
    if (i > 0 && first !== stages[i]?.input) {
      yield wrong(`eightBit[${i}].values[0]`, first, `'${stages[i]?.input}', which comes into stage ${i}`);
    }
    if (new Set(values).size < values.length) yield wrong(`eightBit[${i}].values`, values, 'each value once');
    for (const name of layers) {
      if (!stages[i]?.layers.includes(name))
        yield wrong(`eightBit[${i}].layers`, name, `layers of stage ${i}`);
    }
    if (seconds) yield* lengthOf(`eightBit[${i}].seconds`, seconds, ratios.length, 'ratios');
  }
}

function* ofAccuracy({ accuracy, groups, ratios }: BundleManifest): Generator<string> {
  yield* lengthOf('accuracy.loss', accuracy.loss, groups.length, 'groups');
  for (const [i, row] of accuracy.loss.entries()) {
    yield* lengthOf(`accuracy.loss[${i}]`, row, ratios.length, 'ratios');
    if (row[0] !== 0) yield wrong(`accuracy.loss[${i}][0]`, row[0], '0');
    for (const [level, loss] of row.entries()) {
      const before = row[level - 1] ?? loss;
      if (loss < before)
        yield wrong(`accuracy.loss[${i}][${level}]`, loss, `at least ${before}, not descending`);
    }
  }
}

function* ofVariants({ variants, groups, ratios, model, task }: BundleManifest): Generator<string> {
  const seen = new Set<string>();
  for (const [i, { levels, recall }] of variants.entries()) {
    const at = `variants[${i}]`;
    yield* lengthOf(`${at}.levels`, levels, groups.length, 'groups');
    for (const [group, level] of levels.entries()) {
      if (level >= ratios.length) yield wrong(`${at}.levels[${group}]`, level, `0 to ${ratios.length - 1}`);
      if (i === 0 && level !== 0) yield wrong(`${at}.levels[${group}]`, level, '0: the first is unpruned');
    }
    if (seen.has(levelsKey(levels))) yield wrong(`${at}.levels`, levels, 'each vector of levels once');
    seen.add(levelsKey(levels));
    yield* lengthOf(`${at}.recall`, recall, recallsOf({ model, task }), 'classes');
  }
}

function* lengthOf(at: string, list: readonly unknown[], expected: number, as: string): Generator<string> {
  if (list.length !== expected) {
    yield `${at} has ${list.length} entries: expected ${expected}, as many as there are ${as}`;
  }
}

function wrong(at: string, found: unknown, expected: string): string {
  const text =
    found === undefined ? 'missing' : typeof found === 'string' ? `'${found}'` : JSON.stringify(found);
  return `${at} is ${text.length > 80 ? `${text.slice(0, 77)}…` : text}: expected ${expected}`;
}
