// The folder of a room's sockets: of this user alone, and with a path short enough for a socket.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { BedsideError, clearLeftovers, messageOf, removedAtExit, temporaryFolder } from '../../util/index.ts';

/** Bytes that the path of a socket may have: 107 on Linux, 103 on macOS and the BSDs. */
export const MAX_SOCKET_PATH = 103;

/** `/` and the 12 digits that stand for a node. */
const NAME = 13;

/** Where temporary folders may be, if the one that the environment names is missing, closed or too long. */
function* parents(): Generator<string> {
  yield resolve(tmpdir());
  if (process.env.XDG_RUNTIME_DIR) yield resolve(process.env.XDG_RUNTIME_DIR);
  yield '/tmp';
  yield '/var/tmp';
}

/** A folder that is removed by `remove`, else when the process ends. */
export interface SocketFolder {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Makes one (mode 0700).
 * @throws BedsideError E_FABRIC when no folder for temporary files can be used
 */
export async function makeSocketFolder(): Promise<SocketFolder> {
  const reasons: string[] = [];
  for (const parent of new Set(parents())) {
    const start = temporaryFolder(parent);
    // On Windows sockets are pipes, whose names may be longer.
    if (process.platform !== 'win32' && Buffer.byteLength(start) + 6 + NAME > MAX_SOCKET_PATH) {
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
