// A secure session of two nodes: AES-256-GCM with one key for each direction. The keys are derived from ephemeral
// X25519 keys and from nonces of both nodes, so that every session has its own. The cipher's nonce is a counter that
// never repeats, and messages that are not newer than the last one are refused. A sealed message has 8 bytes that name
// the session, the counter (6 bytes), the ciphertext, and the tag of 16 bytes.
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

/** DER prefix of a public X25519 key of 32 bytes. */
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');

const CHANNELS: Readonly<Record<Channel, number>> = { tensor: 1, control: 2 };

/** A key pair that is made when a node starts and never stored. */
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

  /** The shared secret with a peer, or undefined if its public key is invalid. */
  share(publicKey: string): Buffer | undefined {
    const raw = bytesOf(publicKey, KEY_BYTES);
    if (!raw) return undefined;
    try {
      const key = createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: 'der', type: 'spki' });
      return diffieHellman({ privateKey: this.#privateKey, publicKey: key });
    } catch {
      // A point of low order: the secret would be known to everybody.
      return undefined;
    }
  }
}

/** One side's contribution to a session, known to both. */
export interface SessionSide {
  readonly name: string;
  /** Ephemeral public key, and a nonce for this session alone. */
  readonly key: string;
  readonly nonce: string;
}

/** A session of two nodes, one of which began it. */
export class SecureSession {
  /** Names the session in every sealed message. */
  readonly id: string;
  /** The instance of the peer. */
  readonly instance: string;
  readonly #id: Buffer;
  readonly #sending: KeyObject;
  readonly #receiving: KeyObject;
  readonly #sent: Record<Channel, number> = { tensor: 0, control: 0 };
  readonly #received: Record<Channel, number> = { tensor: 0, control: 0 };

  /**
   * @param shared secret from the ephemeral keys of both
   * @param sides first the node that began the session
   * @param began whether this node is the first side
   * @param instance of the peer
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

  /** Encrypts and authenticates a payload. */
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

  /** Decrypts a payload, or returns undefined if the peer has not sealed it for this channel, or if it is a replay. */
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

/** The id of the session that a sealed message claims to belong to. */
export function sessionIdOf(sealed: Buffer): string {
  return sealed.toString('latin1', 0, ID_BYTES);
}

function nonceOf(channel: Channel, counter: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce[0] = CHANNELS[channel];
  nonce.writeUIntBE(counter, NONCE_BYTES - COUNTER_BYTES, COUNTER_BYTES);
  return nonce;
}
