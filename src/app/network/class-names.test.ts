// Who names the classes of a bundle: what was said of the network, else the data that it was packed with.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBundle } from '../../bundle/index.ts';
import { generateEcg } from '../../data/index.ts';
import { loadBundle } from '../bundle/open-bundle.ts';
import { pack } from '../bundle/pack.ts';
import { answerForm } from '../explain/answers.ts';
import { journalOf } from '../reporter.ts';
import { namedClasses, withClassNames } from './class-names.ts';
import { loadNetwork } from './network.ts';

const NETWORK = fileURLToPath(new URL('../../../models/ecg-demo.onnx', import.meta.url));
const NAMES = ['N', 'S', 'V', 'F', 'Q'];
const data = generateEcg({ perClass: 8, seed: 5 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-names-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a bundle of a network whose classes nobody named', { timeout: 60_000 }, () => {
  it('keeps the names of the data', async () => {
    const result = await pack(NETWORK, {
      ...{ data, out: join(folder, 'ecg'), perClass: 3, validationPerClass: 5, ratios: [0, 0.75] },
      ...{ criterion: 'l1', block: 1, variants: 2, maxPositions: 100, measure: false, lowRank: false },
    });
    expect(result.classes).toEqual({ names: NAMES, from: 'data' });
    // The folder has them, and so has the model in it, whoever opens it.
    expect(answerForm(await loadBundle(result.out, journalOf())).classNames).toEqual(NAMES);
    expect(answerForm(await openBundle(result.out)).classNames).toEqual(NAMES);
  });

  it('has none of data that number their classes, and those of options before all', async () => {
    const numbered = { classNames: ['0', '1', '2', '3', '4'] };
    expect(namedClasses(await loadNetwork(NETWORK), numbered)).toBeUndefined();
    const labels = ['a', 'b', 'c', 'd', 'e'];
    const network = await loadNetwork(NETWORK, { labels });
    const named = namedClasses(network, data);
    expect(named).toEqual({ names: labels, from: 'options' });
    expect(withClassNames(network, named)).toBe(network);
  });

  it('has a map of labels to unnamed classes by index, so that it stays one', async () => {
    const network = await loadNetwork(NETWORK, { contract: { classMap: { N: '0', S: 2, V: null } } });
    const named = withClassNames(network, namedClasses(network, data));
    expect(named.classifier.contract).toEqual({ classes: NAMES, classMap: { N: 0, S: 2, V: null } });
    expect(network.classifier.contract?.classes).toBeUndefined();
  });

  it('takes no names that are too few, or twice the same', async () => {
    const network = await loadNetwork(NETWORK);
    for (const classNames of [NAMES.slice(1), ['N', 'N', 'V', 'F', 'Q'], ['', 'S', 'V', 'F', 'Q']]) {
      expect(namedClasses(network, { classNames })).toBeUndefined();
    }
  });
});
