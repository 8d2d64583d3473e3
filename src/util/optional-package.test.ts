import { describe, expect, it } from 'vitest';
import { BedsideError } from './errors.ts';
import { loadOptional } from './optional-package.ts';

const failure = (code: string, message: string) => Object.assign(new Error(message), { code });

describe('loadOptional', () => {
  it('gives what was imported', async () => {
    await expect(loadOptional('this', async () => ({ a: 1 }))).resolves.toEqual({ a: 1 });
  });

  it.each([
    ["Cannot find package '@jax-js/jax' imported from /a/b.js", '@jax-js/jax'],
    ["Cannot find package 'sharp' imported from /a/b.js", 'sharp'],
  ])('names a package that is not installed: %s', async (message, name) => {
    const error = await loadOptional('training', async () => {
      throw failure('ERR_MODULE_NOT_FOUND', message);
    }).catch((caught: unknown) => caught);
    expect(BedsideError.is(error, 'E_UNSUPPORTED')).toBe(true);
    expect(error).toMatchObject({
      message: `training needs the package '${name}', which is not installed`,
      hint: `install it with: npm install ${name}; an installation without --omit=optional has it`,
    });
  });

  it.each([
    failure('ERR_MODULE_NOT_FOUND', "Cannot find module '/a/gone.js' imported from /a/b.js"),
    failure('ERR_DLOPEN_FAILED', 'cannot open shared object file'),
  ])('leaves other failures as they are: $message', async (thrown) => {
    await expect(loadOptional('this', () => Promise.reject(thrown))).rejects.toBe(thrown);
  });
});
