// The page Requests: a live list of a thousand rows, one request in full, and why it got its plan.
import { expect, it } from 'vitest';
import { accessibilityFaults, picture, type Rig } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function requestsSuite(rig: () => Rig): void {
  it('shows requests as they end, one with its times, its plan, and what other planners would have done', async () => {
    const { page, faults } = await rig().open('/requests');
    await rig().ask(25, { deadline: 5 });
    await rig().ask(1, { levels: 'no levels' });
    const rows = page.getByRole('region', { name: /^Requests/ });
    await rows.getByText('E_REQUEST').first().waitFor();
    await page.getByLabel('Show').selectOption('ok');
    await rows.getByRole('row').nth(2).getByRole('link').click();
    await page.getByRole('heading', { name: 'Where the time went' }).waitFor();
    await page.getByRole('img', { name: /^Timeline, .* gateway: stage 1.*, computed/ }).waitFor();
    await page.getByRole('row', { name: /^Greedy/ }).waitFor();
    await page.getByRole('button', { name: 'Compare with the exact plan' }).click();
    await page.getByRole('row', { name: /^Exact .*(proven best|from the best)/ }).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await page.getByRole('heading', { name: 'Why this plan' }).scrollIntoViewIfNeeded();
    await page.evaluate('scrollTo(0, 0)');
    await picture(page, 'requests');
    await page.getByLabel('Show').selectOption('errors');
    await rows.getByRole('row').nth(1).getByRole('link').click();
    await page.getByText('It was not answered').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('goes from row to row by keyboard, and stands still when it is told to', async () => {
    const { page, faults } = await rig().open('/requests');
    const rows = page.getByRole('region', { name: /^Requests/ });
    await rows.getByRole('link').first().focus();
    const before = Number(await rows.getByRole('link').first().textContent());
    await page.keyboard.press('ArrowDown');
    await page.waitForURL(`**/requests/${before - 1}`);
    await page.keyboard.press('ArrowDown');
    await page.waitForURL(`**/requests/${before - 2}`);
    // With the next picture, which a busy machine draws late.
    const focused = () => page.evaluate('document.activeElement.dataset.seq');
    await expect.poll(focused, { timeout: 20_000 }).toBe(String(before - 2));
    await page.goBack();
    await page.waitForURL(`**/requests/${before - 1}`);
    await page.getByRole('button', { name: 'Pause' }).click();
    await rig().ask(3);
    await page.getByRole('button', { name: 'Go on (3 new)' }).click();
    await rows.getByRole('link', { name: String(before + 3) }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it('holds a thousand rows, of which only those in view are in the page, without jank', async () => {
    await rig().ask(1000, { levels: 'no levels' });
    const { page, faults } = await rig().open('/requests');
    const rows = page.getByRole('region', { name: /^Requests/ });
    await rows.getByRole('link').first().waitFor();
    const count = () => rows.getByRole('table').getAttribute('aria-rowcount');
    await expect.poll(count, { timeout: 20_000 }).toBe('1001');
    const asking = rig().ask(40);
    const scrolled = (await page.evaluate(`(async () => {
      const place = document.querySelector('[aria-label^="Requests"]');
      let most = 0;
      const tasks = [];
      new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' });
      for (let step = 0; step <= 60; step++) {
        place.scrollTop = (place.scrollHeight / 60) * step;
        await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
        most = Math.max(most, place.querySelectorAll('tbody tr').length);
      }
      return { most, longest: Math.max(0, ...tasks), end: place.scrollTop + place.clientHeight >= place.scrollHeight - 40 };
    })()`)) as { most: number; longest: number; end: boolean };
    await asking;
    expect(scrolled.end).toBe(true);
    expect(scrolled.most).toBeLessThan(60);
    // Half a second on a machine that other tests keep busy; bench:dashboard measures frames.
    expect(scrolled.longest).toBeLessThan(500);
    expect(faults).toEqual([]);
    await page.context().close();
  });
}
