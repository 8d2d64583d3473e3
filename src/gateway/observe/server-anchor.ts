// The end of an audit log as a NATS server keeps it: the newest values, so that an older one shows what a newer one hides.
import { openServerAnchor, type ServerAnchor } from '../../app/index.ts';
import { type AnchorStore, type AnchorValue, parseAnchor } from './audit-anchor.ts';

/** Who keeps anchors, and who looks at them; docs/cluster.md#roles. */
const KEEPERS = ['coordinator'];
const READERS = ['observer', 'coordinator'];

/** An anchor on a server. */
export class NatsAnchor implements AnchorStore, AsyncDisposable {
  readonly name: string;
  readonly #anchor: ServerAnchor;

  private constructor(anchor: ServerAnchor) {
    this.#anchor = anchor;
    this.name = anchor.address;
  }

  /**
   * Connects.
   * @param place address of the server or of the anchor, and the folder of the log
   * @param keeps whether it is to be written too
   * @throws BedsideError as `openServerAnchor`
   */
  static async open(
    place: { readonly address: string | undefined; readonly folder: string },
    credentials?: string,
    keeps = false,
  ): Promise<NatsAnchor> {
    return new NatsAnchor(await openServerAnchor(place, credentials, keeps ? KEEPERS : READERS));
  }

  async read(): Promise<readonly AnchorValue[]> {
    const { bucket, key } = this.#anchor;
    return (await bucket.values(key)).map((text) => parseAnchor(text, this.name));
  }

  async write(value: AnchorValue): Promise<void> {
    const { bucket, key } = this.#anchor;
    await bucket.put(key, JSON.stringify(value));
  }

  close(): Promise<void> {
    return this.#anchor.bucket.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
