// The page Explain: a sample that is sent, at chosen levels beside the unpruned network; and what cannot be read.
import { expect, it } from 'vitest';
import { npyArray, writeNpz } from '../../src/data/index.ts';
import { sizeOf } from '../../src/onnx/internal.ts';
import { Random } from '../../src/util/internal.ts';
import type { PagesRig } from './pages-rig.ts';
import { accessibilityFaults } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function explainSuite(rig: () => PagesRig): void {
  it('explains a file at chosen levels, beside the unpruned network, and says what it cannot read', async () => {
    const { shape } = rig().bundle.manifest.model.input;
    const random = new Random(8);
    const data = Float32Array.from({ length: 2 * sizeOf(shape) }, () => random.normal());
    const { page, faults } = await rig().open('/explain', { width: 820, height: 1180 });
    await page.getByText('Open a file to see what the network looks at').waitFor();
    await page.getByText('bedside serve --samples DATA').waitFor();
    const file = page.locator('input[type=file]');
    const buffer = Buffer.from(writeNpz({ x: npyArray([2, ...shape], data) }));
    await file.setInputFiles({ name: 'a patient.npz', mimeType: '', buffer });
    await page.getByText('Not for clinical use.').waitFor();
    await page.locator('select', { hasText: 'what the policy chooses now' }).selectOption('0');
    await page.getByText('this is the unpruned network').waitFor();
    await page.locator('select', { hasText: 'what the policy chooses now' }).selectOption({ index: 1 });
    await page.getByRole('heading', { name: 'Unpruned', exact: true }).waitFor();
    await page.getByRole('heading', { name: /^Variant \d+$/ }).waitFor();
    await page.locator('select', { hasText: 'the answer' }).selectOption('2');
    await page
      .getByText(/^Explains 2\./)
      .first()
      .waitFor();
    await page.getByLabel('Sample of 2').fill('1');
    await page
      .getByText(/^Explains 2\./)
      .first()
      .waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(faults).toEqual([]);
    await file.setInputFiles({ name: 'x.npy', mimeType: '', buffer: Buffer.from('no array') });
    await page.getByRole('alert').getByText('E_REQUEST').waitFor();
    await page.context().close();
  });
}
