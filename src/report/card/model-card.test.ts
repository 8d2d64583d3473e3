import { describe, expect, it } from 'vitest';
import { totalCosts } from '../../bundle/internal.ts';
import { must } from '../../util/index.ts';
import { bundleOf } from '../frontier/test-support/bundle.ts';
import { type CardBundle, modelCard } from './model-card.ts';

const HASH = 'ab'.repeat(32);

function cardBundle(change: Partial<CardBundle> = {}): CardBundle {
  const { manifest } = contents();
  return { ...manifest, ...change };
}

function contents() {
  const parts = bundleOf([100, 0.9], [50, 0.8], [60, 0.85], [20, 0.5]);
  const file = { file: 'weights.safetensors', sha256: HASH, bytes: 12 };
  const whole = {
    ...parts,
    format: 'bedside-bundle' as const,
    version: 2,
    model: { ...parts.model, file: 'model.onnx', sha256: HASH, bytes: 34 },
    weights: file,
  };
  const levels = whole.ratios.map((ratio, level) => {
    const costs = totalCosts(
      whole,
      whole.groups.map(() => level),
    );
    return { level, ratio, ...costs };
  });
  return { manifest: { ...whole, sha256: HASH, levels } };
}

/** Text below a heading, up to the next one. */
function section(card: string, title: string): string {
  return must(
    card.split(/^## /m).find((part) => part.startsWith(`${title}\n`)),
    title,
  );
}

/** Cells of a line of a table: pipes that are escaped are no borders. */
const cells = (line: string): number => line.split(/(?<!\\)\|/).length;

describe('the model card', () => {
  it('tells each shown variant with its lower bound, samples and source', () => {
    const accuracy = section(modelCard(cardBundle()), 'Accuracy');
    expect(accuracy).toContain('on 8 samples of random');
    expect(accuracy).toMatch(/^\| 0 \| all 0 \| 100\.0 % \| .* \| 90\.0 % \| 80\.0 % \| 95\.0 % \|$/m);
    expect(accuracy).toMatch(/^\| 3 \| .* \| 20\.0 % \| .* \| 50\.0 % \| 40\.0 % \|/m);
  });

  it('tells the recall of each class, and which nobody knows', () => {
    const recall = section(modelCard(cardBundle()), 'Recall');
    expect(recall).toMatch(/^\| 0 \| 90\.0 % \|/m);
    expect(recall).toMatch(/^\| 1 \| not known: no such sample \|/m);
  });

  it('says what the bundle does not know, and no longer what it knows', () => {
    const unknown = (change?: Partial<CardBundle>): string =>
      section(modelCard(cardBundle(change)), 'What this bundle does not know');
    const plain = unknown();
    for (const line of ['classes are called', 'eight bits', 'speed on any machine', 'Recall of 1 of 3']) {
      expect(plain).toContain(line);
    }
    const contract = { classes: ['a', 'b', 'c'] };
    const measured = {
      machine: 'm',
      provider: 'cpu',
      threads: 1,
      batch: 1,
      date: '2026-01-01T00:00:00.000Z',
    };
    const known = unknown({ contract, measured });
    expect(known).not.toContain('classes are called');
    expect(known).not.toContain('speed on any machine');
    expect(unknown({ provenance: { ...cardBundle().provenance, labelled: false } })).toContain('no labels');
  });

  it('tells eight-bit figures of the variants that have them', () => {
    const { variants, stages } = cardBundle();
    const card = modelCard(
      cardBundle({
        eightBit: stages.map(({ layers }) => ({ layers, values: ['x'], loss: 0 })),
        variants: variants.map((variant, i) =>
          i === 0 ? { ...variant, eightBit: { accuracy: 0.87, lowerBound: 0.77, agreement: 0.9 } } : variant,
        ),
      }),
    );
    expect(section(card, 'Accuracy')).toMatch(/^\| 0 \|.*\| 87\.0 % \| 77\.0 % \|$/m);
    expect(section(card, 'Accuracy')).toMatch(/^\| 3 \|.*\| not measured \| not measured \|$/m);
    expect(section(card, 'Precisions')).toContain('1 of 4 variants');
  });

  it('shows names of others as text, never as Markdown', () => {
    const bad = 'a|b\n# c <img src=x> [d](http://e) `f`';
    const { model, provenance } = cardBundle();
    const card = modelCard(
      cardBundle({
        name: bad,
        model: { ...model, source: { ...model.source, file: bad } },
        provenance: { ...provenance, dataset: bad },
        contract: { classes: [bad, 'b', 'c'], [bad]: bad },
      }),
    );
    expect(card).not.toMatch(/(?<!\\)<img|(?<!\\)\[d\]|^# c/m);
    for (const part of card.split('\n\n').filter((text) => text.startsWith('|'))) {
      const [head = '', ...rows] = part.trim().split('\n');
      expect(rows.map(cells)).toEqual(rows.map(() => cells(head)));
    }
  });

  it('has no holes', () => {
    expect(modelCard(cardBundle())).not.toMatch(/undefined|NaN|\[object/);
  });
});
