// Keys between two nodes, and what they seal: AES-256-GCM under a key for each direction, made of ephemeral X25519 keys and
// of nonces of both, so that no two sessions have the same. A counter is the nonce: none comes twice, and what is not newer
// than the last is not opened. What is sealed: 8 bytes that name the session, the counter (6 bytes), what is said in cipher,
// and the tag of 16 bytes.
import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import type { Channel } from '../transport/subjects.ts';
import { bytesOf } from './signing.ts';

const CIPHER = 'aes-256-gcm';
const ID_BYTES = 8;
const COUNTER_BYTES = 6;
const HEADER = ID_BYTES + COUNTER_BYTES;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;

/** Bytes that sealing adds. */
export const SEAL_BYTES = HEADER + TAG_BYTES;

/** Before the 32 bytes of a public key, DER says that they are one. */
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

const CHANNELS: Readonly<Record<Channel, number>> = { tensor: 1, control: 2 };

/** A key that lives as long as a node. */
export class EphemeralKey {
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('x25519');
    this.publicKey = publicKey
      .export({ format: 'der', type: 'spki' })
      .subarray(PUBLIC.length)
      .toString('base64url');
    this.#privateKey = privateKey;
  }

  /** What both share; undefined for what is no public key. */
  share(publicKey: string): Buffer | undefined {
    const raw = bytesOf(publicKey, KEY_BYTES);
    if (!raw) return undefined;
    try {
      const key = createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: 'der', type: 'spki' });
      return diffieHellman({ privateKey: this.#privateKey, publicKey: key });
    } catch {
      // Of low order: it would be known to everybody.
      return undefined;
    }
  }
}

/** What one side brings to a session, as both know it. */
export interface SessionSide {
  readonly name: string;
  /** Ephemeral public key, and a nonce for this session alone. */
  readonly key: string;
  readonly nonce: string;
}

/** Keys of two nodes, one of whom began. */
export class SecureSession {
  /** Names it in all that is sealed. */
  readonly id: string;
  /** Which life of the peer it is with. */
  readonly instance: string;
  readonly #id: Buffer;
  readonly #sending: KeyObject;
  readonly #receiving: KeyObject;
  readonly #sent: Record<Channel, number> = { tensor: 0, control: 0 };
  readonly #received: Record<Channel, number> = { tensor: 0, control: 0 };

  /**
   * @param shared what the ephemeral keys of both give
   * @param began whether this node is the first side
   */
  constructor(
    shared: Buffer,
    [first, second]: readonly [SessionSide, SessionSide],
    began: boolean,
    instance: string,
  ) {
    const salt = `${first.nonce} ${second.nonce}`;
    const info = JSON.stringify(['bedside session', first.name, first.key, second.name, second.key]);
    const made = Buffer.from(hkdfSync('sha256', shared, salt, info, 2 * KEY_BYTES + ID_BYTES));
    const [one, two] = [made.subarray(0, KEY_BYTES), made.subarray(KEY_BYTES, 2 * KEY_BYTES)];
    this.#sending = createSecretKey(began ? one : two);
    this.#receiving = createSecretKey(began ? two : one);
    this.#id = made.subarray(2 * KEY_BYTES);
    this.id = sessionIdOf(this.#id);
    this.instance = instance;
  }

  seal(channel: Channel, payload: Uint8Array): Buffer {
    const counter = ++this.#sent[channel];
    const sealed = Buffer.allocUnsafe(payload.length + SEAL_BYTES);
    sealed.set(this.#id);
    sealed.writeUIntBE(counter, ID_BYTES, COUNTER_BYTES);
    const cipher = createCipheriv(CIPHER, this.#sending, nonceOf(channel, counter));
    cipher.setAAD(sealed.subarray(0, HEADER));
    sealed.set(cipher.update(payload), HEADER);
    cipher.final();
    sealed.set(cipher.getAuthTag(), HEADER + payload.length);
    return sealed;
  }

  /** What was sealed on this channel; undefined for what was not sealed by the peer, or has come before. */
  open(channel: Channel, sealed: Buffer): Buffer | undefined {
    if (sealed.length < SEAL_BYTES) return undefined;
    const counter = sealed.readUIntBE(ID_BYTES, COUNTER_BYTES);
    if (counter <= this.#received[channel]) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#receiving, nonceOf(channel, counter), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(sealed.subarray(0, HEADER));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const payload = decipher.update(sealed.subarray(HEADER, sealed.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    this.#received[channel] = counter;
    return payload;
  }
}

/** The name of the session that something claims to be sealed in. */
export function sessionIdOf(sealed: Buffer): string {
  return sealed.toString('latin1', 0, ID_BYTES);
}

function nonceOf(channel: Channel, counter: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce[0] = CHANNELS[channel];
  nonce.writeUIntBE(counter, NONCE_BYTES - COUNTER_BYTES, COUNTER_BYTES);
  return nonce;
}
