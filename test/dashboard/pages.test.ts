// The pages Pruning, Explain and Policy in a real browser.
import { afterAll, beforeAll, describe } from 'vitest';
import { chromiumPath } from './chromium.ts';
import { explainSuite } from './explain-suite.ts';
import { type PagesRig, startPages } from './pages-rig.ts';
import { policySuite } from './policy-suite.ts';
import { pruningSuite } from './pruning-suite.ts';

if (chromiumPath() === undefined)
  console.warn('there is no Chromium here (set CHROMIUM): tests of pages are skipped');

describe.skipIf(chromiumPath() === undefined)('pages', () => {
  let rig: PagesRig;
  beforeAll(async () => {
    rig = await startPages();
  });
  afterAll(() => rig?.close());
  describe('Pruning', () => pruningSuite(() => rig));
  describe('Explain', () => explainSuite(() => rig));
  describe('Policy', () => policySuite(() => rig));
});
