// Contracts: strict reading with paths in errors, sources in their order, metadata of other tools.
import { describe, expect, it } from 'vitest';
import { BedsideError } from '../../util/index.ts';
import { isEmptyContract, mergeContracts } from './contract.ts';
import { contractOfMetadata, namesIn } from './metadata.ts';
import { looksLikeContract, parseContract } from './parse.ts';

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return BedsideError.is(error, 'E_CONTRACT') ? error.message : `not refused: ${error}`;
}

const parse = (value: unknown) => parseContract(JSON.stringify(value), 'model.json');

describe('parseContract', () => {
  it('reads every field', async () => {
    const contract = {
      inputs: ['beat'],
      output: 'logits',
      task: 'multi-label',
      threshold: [0.5, 0.2],
      probabilities: true,
      classes: ['N', 'S'],
      classMap: { N: 0, S: 'S', Q: null },
      image: {
        bits: 12,
        window: { centre: 40, width: 400 },
        resize: { mode: 'cover', size: [256, 256], kernel: 'cubic', fill: 0 },
        crop: { mode: 'centre', size: 224 },
        colour: 'BGR',
        scale: 1,
        mean: [103.9, 116.8, 123.7],
        deviation: 1,
        layout: 'NHWC',
      },
      signal: {
        leads: ['MLII', ['V1', '*']],
        samplingRate: 250,
        units: 'uV',
        window: { around: 'beat', before: 100, after: 156 },
        normalisation: { kind: 'z-score', per: 'lead', epsilon: 1e-6 },
        layout: 'leads-last',
        labels: 'symbols',
      },
    };
    expect(await parse({ $schema: './model.schema.json', ...contract })).toEqual(contract);
    expect(await parseContract(`\uFEFF${JSON.stringify({})}`, 'model.json')).toEqual({});
  });

  it.each([
    [{ clases: ['N'] }, "model.json: the file: unknown field 'clases'"],
    [{ image: { mean: [1, 'a'] } }, 'model.json: image.mean: expected a number from'],
    [{ image: { colour: 'GBR' } }, 'model.json: image.colour is "GBR": expected "RGB", "BGR"'],
    [{ image: { window: { low: 5, high: 5 } } }, 'model.json: image.window: expected low below high'],
    [
      { signal: { normalisation: { kind: 'zscore' } } },
      'model.json: signal.normalisation: expected {"kind": "none"}',
    ],
    [
      { signal: { samplingRate: 0 } },
      'model.json: signal.samplingRate is 0: expected a number from 1 to 1000000',
    ],
    [{ classes: ['N', 'N'] }, "model.json: classes: two classes are called 'N'"],
    [{ classes: ['N'], classMap: { S: 'T' } }, 'model.json: classMap.S is "T": not one of the classes N'],
    [[], 'model.json: the file: expected object'],
  ])('refuses %j', async (value, message) => {
    expect(await refusal(parse(value))).toContain(message);
  });

  it('refuses what is no JSON, and knows files of other subjects', async () => {
    expect(await refusal(parseContract('{', 'm.json'))).toContain('m.json is not JSON');
    expect(await looksLikeContract('{"modelTopology": {}}', 'm.json')).toBe(false);
    expect(await looksLikeContract('{"task": 1}', 'm.json')).toBe(true);
  });
});

it('merges field by field, and knows where each was said', () => {
  const { contract, from } = mergeContracts([
    { source: 'options', contract: { classes: ['A', 'B'], task: undefined } },
    { source: 'model.json', contract: { classes: ['C', 'D'], image: { mean: 1 }, task: 'binary' } },
    { source: 'metadata', contract: { image: { mean: 2, scale: 3 }, signal: { samplingRate: 100 } } },
  ]);
  expect(contract).toEqual({
    classes: ['A', 'B'],
    task: 'binary',
    image: { mean: 1, scale: 3 },
    signal: { samplingRate: 100 },
  });
  expect(from).toEqual({
    classes: 'options',
    task: 'model.json',
    'image.mean': 'model.json',
    'image.scale': 'metadata',
    'signal.samplingRate': 'metadata',
  });
  expect([isEmptyContract({}), isEmptyContract({ task: undefined }), isEmptyContract(contract)]).toEqual([
    true,
    true,
    false,
  ]);
});

describe('contractOfMetadata', () => {
  it('reads a whole contract, and single fields before it', async () => {
    const whole = JSON.stringify({ task: 'binary', image: { mean: 1, scale: 2 } });
    const { contract } = await contractOfMetadata(
      [
        ['bedside.contract', whole],
        ['bedside.image.mean', '[0.1, 0.2]'],
        ['bedside.classes', 'no, yes'],
        ['producer', 'x'],
      ],
      'm.onnx',
    );
    expect(contract).toEqual({
      task: 'binary',
      classes: ['no', 'yes'],
      image: { mean: [0.1, 0.2], scale: 2 },
    });
  });

  it('reads names of other tools and the pixel keys of ONNX', async () => {
    const { contract, remarks } = await contractOfMetadata(
      [
        ['names', "{0: 'normal', 1: \"it's not\"}"],
        ['Image.BitmapPixelFormat', 'Bgr8'],
        ['Image.NominalPixelRange', 'Normalized_1_1'],
      ],
      'm.onnx',
    );
    expect(contract).toEqual({
      classes: ['normal', "it's not"],
      image: { colour: 'BGR', mean: 0.5, deviation: 0.5 },
    });
    expect(remarks).toEqual([]);
    const odd = await contractOfMetadata(
      [
        ['classes', '12'],
        ['Image.NominalPixelRange', 'x'],
      ],
      'm.onnx',
    );
    expect(odd).toEqual({
      contract: {},
      remarks: [expect.stringMatching(/'classes'/), expect.stringMatching(/'x'/)],
    });
  });

  it.each([
    ['["a", "b"]', ['a', 'b']],
    ['{"1": "b", "0": "a"}', ['a', 'b']],
    ["['a', 'b']", ['a', 'b']],
    ["('a', 'b')", ['a', 'b']],
    ["{0: 'a', 1: 'b'}", ['a', 'b']],
    ['a,b', ['a', 'b']],
    ['{"2": "b", "0": "a"}', undefined],
    ['["a", "a"]', undefined],
    ['a', undefined],
  ])('namesIn %s', (text, names) => {
    expect(namesIn(text)).toEqual(names);
  });

  it('namesIn takes no longer for long numbers', () => {
    const began = performance.now();
    expect(namesIn(`{${'1'.repeat(300_000)}}`)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  it('refuses keys of ours that are wrong', async () => {
    expect(await refusal(contractOfMetadata([['bedside.contract', '{']], 'm.onnx'))).toContain(
      'bedside.contract',
    );
    expect(await refusal(contractOfMetadata([['bedside.task', 'x']], 'm.onnx'))).toContain('task is "x"');
  });
});
