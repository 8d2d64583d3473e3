import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Net } from '../channels/test-support/net.ts';
import { type Model, writeModel } from '../onnx/index.ts';
import { canonicalGraph, extractSubgraph, int } from '../onnx/internal.ts';
import { must } from '../util/index.ts';
import { assembleModel } from './assemble.ts';
import type { Bundle } from './bundle.ts';
import { findVariant } from './levels.ts';
import { type CutBundle, cutBundle, PartialBundle, parseIndex } from './parts.ts';
import { openBundle } from './read.ts';
import { contentsOf } from './test-support/contents.ts';
import { writeBundle } from './write.ts';

function chain(): Model {
  const net = new Net([2, 6, 6], 3);
  const first = net.relu(net.conv('first', net.input, 2, 8));
  const second = net.relu(net.conv('second', first, 8, 12));
  const third = net.relu(net.conv('third', second, 12, 8));
  const flat = net.op('Flatten', [third], { axis: int(1) });
  return net.finish(net.gemm('head', flat, 8 * 36, 3));
}

let folder: string;
let bundle: Bundle;
let cut: CutBundle;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bedside-parts-'));
  await writeBundle(folder, contentsOf(canonicalGraph(chain()), { variants: [[1, 2, 1]] }));
  bundle = await openBundle(folder);
  cut = cutBundle(bundle, await readFile(join(folder, 'bundle.json')));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const bytesOf = (sha256: string) => must(cut.parts.get(sha256), 'a part');

function bare(): PartialBundle {
  const { index } = cut;
  const read = parseIndex(Buffer.from(JSON.stringify(index)), 'it');
  return new PartialBundle(bundle.sha256, read, {
    manifest: bytesOf(index.manifest.sha256),
    frame: bytesOf(index.frame.sha256),
    common: bytesOf(index.common.sha256),
  });
}

describe('a bundle in parts', () => {
  it('is the same bundle again when every stage is filled, at any levels', () => {
    const partial = bare();
    for (const [stage, { sha256 }] of cut.index.stages.entries()) partial.fill(stage, bytesOf(sha256));
    expect(partial.held).toEqual(bundle.manifest.stages.map(({ index }) => index));
    expect(partial.bundle.manifest).toEqual(bundle.manifest);
    const uniform = [...bundle.manifest.ratios.keys()].map((level) =>
      bundle.manifest.groups.map(() => level),
    );
    for (const levels of [...uniform, ...bundle.manifest.variants.map((variant) => variant.levels)]) {
      const correction = findVariant(bundle.manifest, levels);
      const [mine, theirs] = [bundle, partial.bundle].map((one) =>
        writeModel(assembleModel(one, levels, { correction })),
      );
      expect(Buffer.compare(mine as Uint8Array, theirs as Uint8Array)).toBe(0);
    }
  });

  it('has the weights of the stages that are filled, and zeros for those of the others', () => {
    const partial = bare();
    const weightsOf = (one: Bundle, stage: number) => {
      const { input, output } = must(one.manifest.stages[stage], 'a stage');
      const { constants } = extractSubgraph(one.model, [input], [output]).graph;
      return [...constants.values()].flatMap((constant) =>
        constant.type === 'float32' ? [constant.data] : [],
      );
    };
    const stage = 1;
    // Parts taken out before are filled too.
    const before = weightsOf(partial.bundle, stage);
    partial.fill(stage, bytesOf(must(cut.index.stages[stage], 'a part').sha256));
    expect(before).toEqual(weightsOf(bundle, stage));
    const large = weightsOf(partial.bundle, 0).filter((data) => data.length >= 64);
    expect(large.length).toBeGreaterThan(0);
    for (const data of large) expect(data.every((value) => value === 0)).toBe(true);
  });

  it('takes less for a stage than for the whole', () => {
    const sizes = cut.index.stages.map(({ bytes }) => bytes);
    const whole = sizes.reduce((sum, bytes) => sum + bytes, 0);
    expect(Math.max(...sizes)).toBeLessThan(whole);
    expect(cut.index.frame.bytes + cut.index.common.bytes).toBeLessThan(whole);
  });

  it('is refused under another name, and with the weights of another stage', () => {
    const { index } = cut;
    const parts = {
      manifest: bytesOf(index.manifest.sha256),
      frame: bytesOf(index.frame.sha256),
      common: bytesOf(index.common.sha256),
    };
    expect(() => new PartialBundle('0'.repeat(64), index, parts)).toThrow(/not the one that names it/);
    expect(() => parseIndex(Buffer.from('{}'), 'it')).toThrow(/no readable index/);
    expect(() => cutBundle(bundle, Buffer.from('{}'))).toThrow(/replaced/);
  });
});
