// The page Policy: comparisons, freezing by admins alone, the floor, and what-ifs that change nothing.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { PagesRig } from './pages-rig.ts';
import { accessibilityFaults } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function policySuite(rig: () => PagesRig): void {
  it('compares plans, and says what would be chosen if something were different', async () => {
    const { page, faults } = await rig().open('/policy', { dark: true });
    await page.getByRole('img', { name: /^Objective over time: in use \d/ }).waitFor();
    const choice = page.locator('fieldset', { hasText: 'A device' });
    await choice.locator('select').selectOption('tablet');
    await choice.getByRole('checkbox', { name: 'away' }).check();
    await page.getByText('tablet: away.').waitFor();
    const then = page.getByRole('region', { name: 'If so' });
    await then.getByText('monitor').first().waitFor();
    expect(await then.getByText('tablet').count()).toBe(0);
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'As it is' }).click();
    await page.getByText('Move a slider.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('lets admins freeze, unfreeze and set the floor, and others look', async () => {
    const file = join(rig().folder, 'policy-tokens.json');
    const audit = join(rig().folder, 'policy-log');
    await mkdir(audit);
    const kept = (name: string, role: string, token: string) => ({
      ...{ name, roles: [role] },
      sha256: createHash('sha256').update(token).digest('hex'),
    });
    const [admin, viewer] = ['token-of-an-admin', 'token-of-a-screen'] as const;
    const tokens = [kept('head nurse', 'admin', admin), kept('screen', 'metrics', viewer)];
    await writeFile(file, JSON.stringify({ tokens }));
    await using gateway = await rig().serve({ tokens: file, audit, workers: 1 });
    const open = async (token: string) => {
      const opened = await rig().open('/policy', { url: gateway.url });
      await opened.page.getByLabel('Token').fill(token);
      await opened.page.getByRole('button', { name: 'Sign in' }).click();
      await opened.page.getByText('Nothing is frozen').waitFor();
      return opened;
    };
    const { page, faults } = await open(admin);
    const other = await open(viewer);
    expect(await other.page.getByRole('button', { name: /Freeze|Set the floor/ }).count()).toBe(0);
    await other.page.getByText('Only a token with the role admin freezes').waitFor();
    await page.getByRole('button', { name: 'Freeze the levels in use' }).click();
    await page.getByText('The levels are frozen').waitFor();
    await page.getByText('by head nurse').first().waitFor();
    await page.getByText('Unfreeze first').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Unfreeze' }).click();
    await page.getByText('Nothing is frozen').waitFor();
    await page.getByLabel('Floor as a number').fill('0');
    await page.getByRole('button', { name: 'Set the floor' }).click();
    await page.getByText('set by head nurse').first().waitFor();
    expect([...faults, ...other.faults]).toEqual([]);
    await page.context().close();
    await other.page.context().close();
  });
}
