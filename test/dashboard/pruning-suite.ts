// The page Pruning: variants, the one in use, and what was cut.
import { expect, it } from 'vitest';
import type { PagesRig } from './pages-rig.ts';
import { accessibilityFaults } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function pruningSuite(rig: () => PagesRig): void {
  it('shows variants with the one in use, and what was cut in another', async () => {
    await rig().ask(10, { variant: 1 });
    const { page, faults } = await rig().open('/pruning');
    await page.getByRole('img', { name: /variants on the frontier/ }).waitFor();
    await page.getByText('◆ in use').first().waitFor();
    const [unpruned] = rig().bundle.manifest.layers;
    await page.getByRole('button', { name: 'unpruned', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'What was cut in the unpruned network' }).waitFor();
    await page.getByRole('checkbox', { name: /^all / }).check();
    await page.getByRole('button', { name: 'variant 1', exact: true }).click();
    await page.getByRole('heading', { name: 'What was cut in variant 1' }).waitFor();
    await page
      .getByRole('rowheader', { name: unpruned?.name ?? '', exact: true })
      .first()
      .waitFor();
    await page.getByText(/^samples in the last/).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
}
