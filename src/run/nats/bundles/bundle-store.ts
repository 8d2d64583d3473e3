// Bundles on the server: each part an object named by its SHA-256, and for each bundle an index of its parts.
//
// An index is signed by the coordinator that wrote it; parts are known by their hashes. So what was stored, or answered, by
// somebody else is at most a bundle that cannot be read.
//
// Objects are written in the format of NATS' Object Store. They are read chunk by chunk, each asked for and each with a
// time-out: a consumer can stall without a word, and the permission to make one would be one to read everything.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import {
  type Bundle,
  type BundleIndex,
  type BundlePart,
  cutBundle,
  parseIndex,
} from '../../../bundle/index.ts';
import { BedsideError, formatBytes, messageOf } from '../../../util/index.ts';
import {
  type SigningIdentity,
  signingIdentityOf,
  signStatement,
  verifyStatement,
} from '../identity/statement.ts';
import { connectNats, type NatsAccess, natsError } from '../transport/connect.ts';
import { BUNDLE_BUCKET, BUNDLE_STREAM } from '../transport/subjects.ts';

const TIMEOUT_MS = 2000;
const ATTEMPTS = 5;

/** Chunks of an object: small enough for any server's payload. */
const CHUNK = 1 << 18;

/** Bytes of an index that is read. */
const MAX_INDEX = 64 << 20;

const indexName = (sha256: string): string => `bundle-${sha256}`;

/** The bundles of a server, over a connection of their own, so that they hold nothing up. */
export class BundleStore implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #own: SigningIdentity | undefined;
  /** Clients may know that a bundle is there, and no more. */
  readonly #mayRead: boolean;

  private constructor(connection: NatsConnection, manager: JetStreamManager, { credentials }: NatsAccess) {
    this.#connection = connection;
    this.#manager = manager;
    this.#own = signingIdentityOf(credentials);
    this.#mayRead = credentials?.role !== 'client';
  }

  /** @throws BedsideError E_FABRIC */
  static async open(access: NatsAccess): Promise<BundleStore> {
    const connection = await connectNats(access, { door: 'store' });
    return new BundleStore(
      connection,
      await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS }),
      access,
    );
  }

  /** Whether a bundle is there, whole: its index is written last. One that no coordinator signed for is not there. */
  async has(sha256: string): Promise<boolean> {
    if (!(await this.#find(indexName(sha256)))) return false;
    if (!this.#mayRead) return true;
    return this.index(sha256).then(
      () => true,
      (error: unknown) => {
        if (BedsideError.is(error, 'E_BUNDLE')) return false;
        throw error;
      },
    );
  }

  /**
   * Writes the parts of a bundle that are not there yet.
   * @param manifest the bytes of its manifest file
   * @param onProgress bytes that are there, of all
   * @throws BedsideError E_FABRIC when these credentials may not, or the server has no room
   */
  async publish(
    bundle: Bundle,
    manifest: Uint8Array,
    onProgress: (done: number, total: number) => void = () => {},
  ): Promise<void> {
    const { index, parts } = cutBundle(bundle, manifest);
    const total = [...parts.values()].reduce((sum, { length }) => sum + length, 0);
    try {
      const objects = await new Objm(this.#connection).open(BUNDLE_BUCKET);
      const put = async (name: string, bytes: Uint8Array): Promise<void> => {
        if (await this.#find(name)) return;
        await objects.putBlob({ name, options: { max_chunk_size: CHUNK } }, bytes);
      };
      let done = 0;
      for (const [sha256, bytes] of parts) {
        await put(sha256, bytes);
        done += bytes.length;
        onProgress(done, total);
      }
      if (await this.has(bundle.sha256)) return;
      const told = Buffer.from(signStatement(this.#own, 'index', JSON.stringify(index)));
      await objects.putBlob({ name: indexName(bundle.sha256), options: { max_chunk_size: CHUNK } }, told);
    } catch (cause) {
      throw natsError(`bundle '${bundle.manifest.name}' cannot be published`, cause);
    }
  }

  /** @throws BedsideError E_FABRIC when the bundle is not there; E_BUNDLE for an index that no coordinator signed for */
  async index(sha256: string): Promise<BundleIndex> {
    const name = `bundle ${sha256.slice(0, 12)}`;
    const bytes = await this.#read(indexName(sha256), name, MAX_INDEX);
    const statement = verifyStatement(this.#own, 'index', Buffer.from(bytes).toString());
    const by = statement?.certificate?.role;
    if (!statement || (this.#own && by !== 'coordinator')) {
      throw new BedsideError('E_BUNDLE', `no coordinator of this cluster has signed for ${name}`, {
        hint: 'bedside infer with credentials of a coordinator publishes it again',
      });
    }
    return parseIndex(Buffer.from(statement.text), name);
  }

  /**
   * The bytes of a part, checked.
   * @throws BedsideError E_FABRIC; E_BUNDLE_HASH for bytes that are not those of the part
   */
  async part({ sha256, bytes: expected }: BundlePart): Promise<Uint8Array> {
    const name = `part ${sha256.slice(0, 12)}`;
    const bytes = await this.#read(sha256, name, expected);
    if (bytes.length !== expected || createHash('sha256').update(bytes).digest('hex') !== sha256) {
      throw new BedsideError('E_BUNDLE_HASH', `${name} on the server is not what it was written as`, {
        hint: 'publish the bundle again under another name of bucket, or make the server’s storage anew',
      });
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #find(name: string): Promise<ObjectMeta | undefined> {
    // Padded base64 of the URL alphabet, as Object Store has it.
    const token = Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    const found = await this.#get({ last_by_subj: `$O.${BUNDLE_BUCKET}.M.${token}` }, name);
    if (!found) return undefined;
    const meta = metaOf(found.data);
    if (!meta) {
      throw new BedsideError('E_FABRIC', `what the NATS server says of ${name} is not readable`, {
        hint: 'publish the bundle again',
      });
    }
    return meta.deleted ? undefined : meta;
  }

  /** @param most bytes that it may have */
  async #read(name: string, what: string, most: number): Promise<Uint8Array> {
    const meta = await this.#find(name);
    if (!meta) {
      throw new BedsideError('E_FABRIC', `${what} is not on the NATS server`, {
        hint: 'bedside infer with credentials of a coordinator publishes the bundle',
      });
    }
    // No more is asked for, or made room for, than it can be.
    if (meta.size > most || meta.chunks > meta.size + 1) throw incomplete(what, most, meta.size);
    const bytes = new Uint8Array(meta.size);
    let [filled, seq] = [0, 1];
    for (let chunk = 0; chunk < meta.chunks; chunk++) {
      const found = await this.#get({ seq, next_by_subj: `$O.${BUNDLE_BUCKET}.C.${meta.nuid}` }, what);
      if (!found || filled + found.data.length > bytes.length) throw incomplete(what, filled, meta.size);
      bytes.set(found.data, filled);
      filled += found.data.length;
      seq = found.seq + 1;
    }
    if (filled !== bytes.length) throw incomplete(what, filled, meta.size);
    return bytes;
  }

  /** One message of the store; asked for again when no answer comes. */
  async #get(
    query: Parameters<JetStreamManager['direct']['getMessage']>[1],
    what: string,
  ): Promise<{ readonly data: Uint8Array; readonly seq: number } | undefined> {
    for (let attempt = 1; ; attempt++) {
      try {
        const found = await this.#manager.direct.getMessage(BUNDLE_STREAM, query);
        return found ? { data: found.data, seq: found.seq } : undefined;
      } catch (cause) {
        if (attempt >= ATTEMPTS || /permission/i.test(messageOf(cause))) {
          throw natsError(`${what} cannot be read from the NATS server`, cause);
        }
        await sleep(100 * attempt);
      }
    }
  }
}

/** What Object Store says of an object. */
interface ObjectMeta {
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly deleted?: boolean;
}

function metaOf(data: Uint8Array): ObjectMeta | undefined {
  try {
    const { nuid, size, chunks, deleted } = JSON.parse(Buffer.from(data).toString()) as ObjectMeta;
    const isCount = (value: number): boolean => Number.isInteger(value) && value >= 0;
    if (typeof nuid !== 'string' || !/^[\w-]+$/.test(nuid) || !isCount(size) || !isCount(chunks))
      return undefined;
    return { nuid, size, chunks, deleted: deleted === true };
  } catch {
    return undefined;
  }
}

function incomplete(what: string, filled: number, size: number): BedsideError {
  return new BedsideError(
    'E_FABRIC',
    `${what} is not whole on the NATS server: ${formatBytes(filled)} of ${formatBytes(size)}`,
    { hint: 'publish the bundle again' },
  );
}
