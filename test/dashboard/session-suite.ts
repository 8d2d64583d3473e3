// Signing in, what each role sees, what other sites cannot do, and a gateway that goes away and comes back.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { accessibilityFaults, picture, type Rig } from './rig.ts';

/** @param rig the gateway and browser, once they run */
export function sessionSuite(rig: () => Rig): void {
  it('asks for a token, refuses a wrong one, and keeps the right one out of reach', async () => {
    const tokens = join(rig().folder, 'tokens.json');
    const sha256 = createHash('sha256').update('ward-token').digest('hex');
    await writeFile(tokens, JSON.stringify({ tokens: [{ name: 'monitor 4', roles: ['explain'], sha256 }] }));
    await using gateway = await rig().serve({ tokens });
    const { page, context, faults } = await rig().open('/ward', { url: gateway.url });
    const field = page.getByLabel('Token');
    await field.fill('bedside_wrong');
    await page.keyboard.press('Enter');
    await page.getByRole('alert').getByText('the token is not known').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, 'sign-in');
    expect(faults.splice(0).every((text) => text.includes('401'))).toBe(true);
    await field.fill('ward-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    // This token may explain, and nothing else.
    await page.getByText('This page is not open to monitor 4').waitFor();
    const pages = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
    expect(await pages.allTextContents()).toEqual(['Explain']);
    const [cookie] = await context.cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
    expect(page.url()).not.toContain('ward-token');
    expect(await page.evaluate('document.cookie + JSON.stringify(localStorage)')).not.toContain(
      cookie?.value,
    );
    const send = (path: string, headers: Record<string, string>, method = 'GET') =>
      fetch(`${gateway.url}${path}`, {
        method,
        headers: { cookie: `${cookie?.name}=${cookie?.value}`, ...headers },
      });
    expect((await send('/api/ward', {})).status).toBe(403);
    const model = `/v2/models/${rig().bundle.manifest.name}`;
    expect((await send(`${model}/explain`, {}, 'POST')).status).toBe(403);
    const own = { 'x-bedside-page': '1' };
    expect((await send(`${model}/explain`, { ...own, 'sec-fetch-site': 'cross-site' }, 'POST')).status).toBe(
      403,
    );
    expect((await send(`${model}/explain`, { ...own, origin: 'http://other.example' }, 'POST')).status).toBe(
      403,
    );
    expect((await send(`${model}/explain`, own, 'POST')).status).toBe(400);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await field.waitFor();
    expect((await send(`${model}/explain`, own, 'POST')).status).toBe(401);
    expect(await readFile(tokens, 'utf8')).not.toContain('ward-token');
    expect(faults).toEqual([]);
    await context.close();
  });

  it('says that the gateway is away, and goes on by itself when it is back', async () => {
    const first = await rig().serve({});
    const port = Number(new URL(first.url).port);
    const { page } = await rig().open('/ward', { url: first.url });
    await page.getByRole('button', { name: /^worker-1, there/ }).waitFor();
    await first.close();
    await page.getByText('The gateway is away.').waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    await picture(page, 'away');
    await using again = await rig().serve({ port });
    await page.getByText('The gateway is back.').waitFor();
    await page.getByRole('button', { name: /^worker-1, there/ }).waitFor();
    // What happens from now on arrives here.
    await page.getByRole('navigation').getByRole('link', { name: 'Requests' }).click();
    await page.getByText('No request has come').waitFor();
    await fetch(`${again.url}/v2/models/${rig().bundle.manifest.name}/infer`, { method: 'POST', body: '{}' });
    await page.getByRole('link', { name: '1', exact: true }).waitFor();
    await page.context().close();
  });
}
