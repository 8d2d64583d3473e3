// The page Audit: lines by caller, model and code, and whether the log is what was written.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { accessibilityFaults, picture, type Rig } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function auditSuite(rig: () => Rig): void {
  it('finds lines, opens one, and verifies the log', async () => {
    await rig().ask(1, { levels: 'no levels' });
    await rig().ask(3);
    const { page, faults } = await rig().open('/audit');
    const lines = page.getByRole('region', { name: /^Lines/ });
    await lines.getByText('infer').first().waitFor();
    await page.getByRole('button', { name: 'Verify the log' }).click();
    await page.getByText('The log is as it was written.').waitFor();
    await lines.getByRole('button').first().click();
    await lines.getByText('previous').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, 'audit');
    await page.getByLabel('Code').fill('E_REQUEST');
    await page.keyboard.press('Enter');
    await lines.getByText('infer').first().waitFor();
    // The page's own policy forbids what Playwright's waiting for a text of code would evaluate.
    const text = `document.querySelector('[aria-label^="Lines"]').innerText`;
    await expect.poll(() => page.evaluate(text), { timeout: 20_000 }).not.toContain(' ok');
    await lines.getByText('E_REQUEST').first().waitFor();
    await page.getByLabel('Caller').fill('nobody of this name');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText('No line fits').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await lines.getByText('E_REQUEST').first().waitFor({ state: 'attached' });
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('names the first line that was changed', async () => {
    const { page, faults } = await rig().open('/audit', { dark: true });
    await page.getByRole('button', { name: 'Verify the log' }).waitFor();
    const folder = join(rig().folder, 'log');
    const name = (await readdir(folder)).find((entry) => entry.endsWith('.jsonl')) ?? '';
    const file = await open(join(folder, name), 'r+');
    const text = await file.readFile('utf8');
    const at = Buffer.byteLength(text.slice(0, text.indexOf('"caller":"anybody"', text.indexOf('\n')) + 10));
    // The line behind it no longer fits to it.
    const line = Buffer.from(text).subarray(0, at).toString().split('\n').length + 1;
    try {
      await file.write('nobody!', at);
      await page.getByRole('button', { name: 'Verify the log' }).click();
      await page.getByText('The log is not what was written.').waitFor();
      await page.getByText(`${name}, line ${line}: the line before it`).waitFor();
      await picture(page, 'audit-changed-dark');
    } finally {
      await file.write('anybody', at);
      await file.close();
    }
    await page.getByRole('button', { name: 'Verify the log' }).click();
    await page.getByText('The log is as it was written.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });
}
