// The folder for the sockets of local workers: only this user may enter it, and its path is short enough for a socket.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { BedsideError, messageOf } from '../../util/index.ts';
import { clearLeftovers, removedAtExit, temporaryFolder } from '../../util/internal.ts';

/** Largest path of a socket in bytes: 107 on Linux, 103 on macOS and the BSDs. */
export const MAX_SOCKET_PATH = 103;

/** Bytes of `/` and the 12 digits that stand for a node. */
const NAME_BYTES = 13;

/** Candidates for the parent folder: that of the environment first, which may be missing, forbidden or too long. */
function* parents(): Generator<string> {
  yield resolve(tmpdir());
  if (process.env.XDG_RUNTIME_DIR) yield resolve(process.env.XDG_RUNTIME_DIR);
  yield '/tmp';
  yield '/var/tmp';
}

/** A folder that is removed by `remove`, or at the latest when the process ends. */
export interface SocketFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes a folder for sockets (mode 0700).
 * @throws BedsideError E_FABRIC when no folder for temporary files can be used
 */
export async function makeSocketFolder(): Promise<SocketFolder> {
  const reasons: string[] = [];
  for (const parent of new Set(parents())) {
    const start = temporaryFolder(parent);
    // On Windows sockets are pipes, whose names may be longer.
    if (process.platform !== 'win32' && Buffer.byteLength(start) + 6 + NAME_BYTES > MAX_SOCKET_PATH) {
      reasons.push(`${parent}: its path is too long for sockets`);
      continue;
    }
    clearLeftovers(parent);
    try {
      const path = await mkdtemp(start);
      const forget = removedAtExit(path);
      const remove = async (): Promise<void> => {
        await rm(path, { recursive: true, force: true });
        forget();
      };
      return { path, remove };
    } catch (error) {
      reasons.push(messageOf(error));
    }
  }
  throw new BedsideError('E_FABRIC', `no folder for the sockets of workers: ${reasons.join('; ')}`, {
    hint: 'set TMPDIR to a folder with a short path that you may write to, such as /tmp',
  });
}
