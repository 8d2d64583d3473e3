// Bundles on the server: each part is an object named by its SHA-256, and each bundle has an index of its parts.
//
// The coordinator signs the index that it writes, and parts are checked against their hashes. Objects from anybody else
// can therefore make a bundle unreadable, but not change it.
//
// Objects are written in the format of NATS Object Store. They are read chunk by chunk, each with a request and a
// time-out of its own: a consumer can stall without an error, and permission to create one is permission to read
// everything.

import { setTimeout as sleep } from 'node:timers/promises';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { Objm } from '@nats-io/obj';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Bundle } from '../../../bundle/index.ts';
import { type BundleIndex, type BundlePart, cutBundle, parseIndex } from '../../../bundle/internal.ts';
import { BedsideError, formatBytes, messageOf } from '../../../util/index.ts';
import { sha256Of } from '../../../util/internal.ts';
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

/** Bytes of an object's chunk, small enough for the payload limit of any server. */
const CHUNK_BYTES = 1 << 18;

/** Largest index that is read, in bytes. */
const MAX_INDEX = 64 << 20;

const indexName = (sha256: string): string => `bundle-${sha256}`;

/** The bundles of a server. It has a connection of its own, so that it delays no other messages. */
export class BundleStore implements AsyncDisposable {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #own: SigningIdentity | undefined;
  /** Nodes of role `client` may only check that a bundle is there. */
  readonly #mayRead: boolean;
  #chunks = 0;

  private constructor(connection: NatsConnection, manager: JetStreamManager, { credentials }: NatsAccess) {
    this.#connection = connection;
    this.#manager = manager;
    this.#own = signingIdentityOf(credentials);
    this.#mayRead = credentials?.role !== 'client';
  }

  /** Messages with parts of objects that were read. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Connects to the store. @throws BedsideError E_FABRIC */
  static async open(access: NatsAccess): Promise<BundleStore> {
    const connection = await connectNats(access, { door: 'store' });
    return new BundleStore(
      connection,
      await jetstreamManager(connection, { checkAPI: false, timeout: TIMEOUT_MS }),
      access,
    );
  }

  /** Whether a bundle is there completely (its index is written last) and signed by a coordinator. */
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
   * Writes those parts of a bundle that are not there so far.
   * @param manifest the bytes of its manifest file
   * @param onProgress gets the bytes that are there, and those of the whole bundle
   * @throws BedsideError E_FABRIC if the credentials do not allow it, or the server has no space
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
        await objects.putBlob({ name, options: { max_chunk_size: CHUNK_BYTES } }, bytes);
      };
      let done = 0;
      for (const [sha256, bytes] of parts) {
        await put(sha256, bytes);
        done += bytes.length;
        onProgress(done, total);
      }
      if (await this.has(bundle.sha256)) return;
      const signed = Buffer.from(signStatement(this.#own, 'index', JSON.stringify(index)));
      await objects.putBlob(
        { name: indexName(bundle.sha256), options: { max_chunk_size: CHUNK_BYTES } },
        signed,
      );
    } catch (cause) {
      throw natsError(`bundle '${bundle.manifest.name}' cannot be published`, cause);
    }
  }

  /**
   * The index of a bundle.
   * @throws BedsideError E_FABRIC if it is not there; E_BUNDLE if no coordinator has signed it
   */
  async index(sha256: string): Promise<BundleIndex> {
    const name = `bundle ${sha256.slice(0, 12)}`;
    const bytes = await this.#read(indexName(sha256), name, MAX_INDEX);
    const statement = verifyStatement(this.#own, 'index', Buffer.from(bytes).toString());
    const by = statement?.certificate?.role;
    if (!statement || (this.#own && by !== 'coordinator')) {
      throw new BedsideError('E_BUNDLE', `no coordinator of this cluster has signed ${name}`, {
        hint: 'bedside infer with credentials of a coordinator publishes it again',
      });
    }
    return parseIndex(Buffer.from(statement.text), name);
  }

  /**
   * The bytes of a part, checked against its hash.
   * @throws BedsideError E_FABRIC; E_BUNDLE_HASH for bytes with another hash
   */
  async part({ sha256, bytes: expected }: BundlePart): Promise<Uint8Array> {
    const name = `part ${sha256.slice(0, 12)}`;
    const bytes = await this.#read(sha256, name, expected);
    if (bytes.length !== expected || sha256Of(bytes) !== sha256) {
      throw new BedsideError('E_BUNDLE_HASH', `${name} on the server has changed since it was written`, {
        hint: 'clear the storage of the server, then publish the bundle again',
      });
    }
    return bytes;
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #find(name: string): Promise<ObjectMeta | undefined> {
    // Padded base64 with the URL alphabet, as in Object Store.
    const token = Buffer.from(name).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
    const found = await this.#get({ last_by_subj: `$O.${BUNDLE_BUCKET}.M.${token}` }, name);
    if (!found) return undefined;
    const meta = metaOf(found.data);
    if (!meta) {
      throw new BedsideError('E_FABRIC', `the NATS server's entry of ${name} cannot be read`, {
        hint: 'publish the bundle again',
      });
    }
    return meta.deleted ? undefined : meta;
  }

  /** Reads an object. @param most largest size in bytes */
  async #read(name: string, what: string, most: number): Promise<Uint8Array> {
    const meta = await this.#find(name);
    if (!meta) {
      throw new BedsideError('E_FABRIC', `${what} is not on the NATS server`, {
        hint: 'bedside infer with credentials of a coordinator publishes the bundle',
      });
    }
    // Never allocate more than the object can have.
    if (meta.size > most || meta.chunks > meta.size + 1) throw incomplete(what, most, meta.size);
    const bytes = new Uint8Array(meta.size);
    let [filled, seq] = [0, 1];
    for (let chunk = 0; chunk < meta.chunks; chunk++) {
      const found = await this.#get({ seq, next_by_subj: `$O.${BUNDLE_BUCKET}.C.${meta.nuid}` }, what);
      if (!found || filled + found.data.length > bytes.length) throw incomplete(what, filled, meta.size);
      bytes.set(found.data, filled);
      filled += found.data.length;
      this.#chunks++;
      seq = found.seq + 1;
    }
    if (filled !== bytes.length) throw incomplete(what, filled, meta.size);
    return bytes;
  }

  /** Reads one message of the store, and tries again if no reply comes. */
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

/** Metadata of an object in Object Store. */
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
    `${what} is incomplete on the NATS server: ${formatBytes(filled)} of ${formatBytes(size)}`,
    { hint: 'publish the bundle again' },
  );
}
