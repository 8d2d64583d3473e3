// The dashboard in a real browser: one gateway with real workers, one browser, every page.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditSuite } from './audit-suite.ts';
import { CAN_BROWSE } from './chromium.ts';
import { demoSuite } from './demo-suite.ts';
import { requestsSuite } from './requests-suite.ts';
import { accessibilityFaults, type Rig, startRig } from './rig.ts';
import { sessionSuite } from './session-suite.ts';
import { wardSuite } from './ward-suite.ts';

if (!CAN_BROWSE) console.warn('there is no Chromium here (set CHROMIUM): tests of the dashboard are skipped');

describe.skipIf(!CAN_BROWSE)('the dashboard', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(() => rig?.close());

  it('opens every page without errors, in both colours and on a tablet', async () => {
    const { page, faults } = await rig.open('/');
    for (const name of ['Requests', 'Pruning', 'Explain', 'Policy', 'Audit', 'Ward']) {
      await page.getByRole('navigation').getByRole('link', { name }).click();
      await page.getByRole('heading', { name, level: 1 }).waitFor({ state: 'attached' });
      expect(new URL(page.url()).pathname).toBe(`/${name.toLowerCase()}`);
      expect([name, await accessibilityFaults(page)]).toEqual([name, []]);
      await page.getByRole('button', { name: /colours$/ }).click();
      expect([name, 'other colours', await accessibilityFaults(page)]).toEqual([name, 'other colours', []]);
    }
    await page.setViewportSize({ width: 820, height: 1180 });
    const overflow = await page.evaluate(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    expect(overflow).toBeLessThanOrEqual(0);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  describe('Ward', () => wardSuite(() => rig));
  describe('Requests', () => requestsSuite(() => rig));
  describe('Audit', () => auditSuite(() => rig));
  describe('the demo', () => demoSuite(() => rig));
  describe('sessions', () => sessionSuite(() => rig));
});
