// The buttons of the demo's dashboard: somebody kills a device, starts it again, and throttles a link.
import { expect, it } from 'vitest';
import { serveDemo } from '../../src/gateway/index.ts';
import { sizeOf } from '../../src/onnx/internal.ts';
import { Random } from '../../src/util/internal.ts';
import { accessibilityFaults, picture, type Rig, wardFleet } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function demoSuite(rig: () => Rig): void {
  it('has buttons that break the ward and mend it, which no other gateway has', async () => {
    const { bundle, pages } = rig();
    const random = new Random(3);
    const length = 4 * sizeOf(bundle.manifest.model.input.shape);
    const samples = { size: 4, samples: Float32Array.from({ length }, () => random.normal()) };
    const fleet = wardFleet(bundle);
    await using demo = await serveDemo({ bundle: bundle.dir, fleet, samples, port: 0, dashboard: pages });
    const { page, faults } = await rig().open('/ward', { url: demo.url });
    await page.getByRole('heading', { name: 'Demo: break something' }).waitFor();
    await page.getByRole('button', { name: /^tablet, there/ }).waitFor();
    expect(await page.getByRole('button', { name: 'Kill gateway' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Kill tablet' }).click();
    await page.getByRole('button', { name: /^tablet, lost/ }).waitFor();
    await picture(page, 'demo');
    await page.getByRole('button', { name: 'Start tablet again' }).click();
    await page.getByRole('button', { name: /^tablet, there/ }).waitFor();
    await page.getByRole('button', { name: 'Throttle a link' }).click();
    await page.getByRole('button', { name: /^Give the link to \w+ its speed again$/ }).click();
    await page.getByRole('button', { name: 'Throttle a link' }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
    await page.context().close();
    const other = await rig().open('/ward');
    await other.page.getByRole('button', { name: /^tablet, there/ }).waitFor();
    expect(await other.page.getByRole('heading', { name: 'Demo: break something' }).count()).toBe(0);
    await other.page.context().close();
  });
}
