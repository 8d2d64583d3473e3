// The file that a network is written to.
import { realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { BedsideError } from '../util/index.ts';

/**
 * The original must survive.
 * @throws BedsideError E_USAGE for an `out` that is the model itself, also through links
 */
export async function assertOther(path: string, out: string): Promise<void> {
  if ((await realOf(path)) !== (await realOf(out))) return;
  throw new BedsideError('E_USAGE', `--out ${out} is the model itself, which would be overwritten`, {
    hint: 'choose another file name',
  });
}

/** Links resolved, also for a file that does not exist yet. */
async function realOf(path: string): Promise<string> {
  const full = resolve(path);
  return realpath(full).catch(async () =>
    join(await realpath(dirname(full)).catch(() => dirname(full)), basename(full)),
  );
}
