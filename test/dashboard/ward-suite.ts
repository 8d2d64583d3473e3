// The page Ward: devices as they are, and a device that dies while somebody looks.
import { expect, it } from 'vitest';
import { accessibilityFaults, picture, type Rig, wardFleet } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function wardSuite(rig: () => Rig): void {
  it('shows devices, links and what each holds, as a graph and as rows', async () => {
    const { page, faults } = await rig().open('/');
    await page.getByRole('heading', { name: 'Devices and links' }).waitFor();
    for (const name of ['gateway', 'tablet', 'monitor', 'laptop']) {
      await page.getByRole('button', { name: new RegExp(`^${name}, there`) }).waitFor();
    }
    await page.getByRole('button', { name: /^tablet, there, stages? .*, trusted$/ }).waitFor();
    await page.getByRole('button', { name: /^laptop, there, no stage, not trusted$/ }).waitFor();
    await rig().ask(30);
    await page.locator('td', { hasText: '%' }).first().waitFor();
    await page.getByRole('button', { name: /^tablet, there/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'tablet' }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, 'ward');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('shows the input leave the source where it may', async () => {
    const fleet = wardFleet(rig().bundle);
    await using gateway = await rig().serve({ fleet, workers: undefined, rawInput: 'trusted' });
    const { page, faults } = await rig().open('/ward', { url: gateway.url });
    await page.getByRole('button', { name: /^gateway, there, no stage/ }).waitFor();
    const link = page.locator('line.busy > title', { hasText: /^gateway → (tablet|monitor): the input; / });
    await link.waitFor({ state: 'attached' });
    await page.locator('text.tag-text', { hasText: /^input$/ }).waitFor();
    await picture(page, 'ward-input');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('shows a device die, its stages move, and both come back, while requests go on', async () => {
    const { page, faults } = await rig().open('/ward', { dark: true });
    await page.getByRole('button', { name: /^tablet, there, stages/ }).waitFor();
    const asking = rig().ask(60);
    rig().kill('tablet');
    await page.getByRole('button', { name: /^tablet, lost .*, no stage/ }).waitFor();
    // Which of the trusted ones takes them depends on the bundle.
    await page
      .getByRole('button', { name: /^(gateway|monitor), there, stages/ })
      .first()
      .waitFor();
    await picture(page, 'ward-lost-dark');
    const log = page.getByRole('log');
    await log.getByText('tablet is lost').waitFor();
    await log.getByText(/stages moved: S\d+.* to (gateway|monitor)/).waitFor();
    expect(new Set(await asking)).toEqual(new Set([200]));
    // Its process is started again, and the stages go back.
    await log.getByText('tablet is there again').waitFor();
    await page.getByRole('button', { name: /^tablet, there, stages/ }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
  });
}
