// Ed25519 signatures of nodes and clusters. A signature is valid for one purpose only. The keys are separate from NATS
// keys, because a NATS server can have a client sign any nonce with those.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';

/** The purpose of a signature. */
export type Purpose = 'certificate' | 'entry' | 'farewell' | 'hello' | 'index';

/** DER prefixes of Ed25519 keys of 32 bytes. */
const PRIVATE = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC = Buffer.from('302a300506032b6570032100', 'hex');

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Signs with a private key. */
export interface Signer {
  /** 32 bytes, base64url. */
  readonly publicKey: string;
  /** Signature of the UTF-8 bytes of a text, base64url. */
  sign(purpose: Purpose, text: string): string;
}

/** A new private key: 32 bytes, base64url. Secret. */
export function newSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  return privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(PRIVATE.length).toString('base64url');
}

/** The signer with a private key. @throws Error if the text is not a key; the error does not contain it */
export function signerOf(key: string): Signer {
  const raw = bytesOf(key, KEY_BYTES);
  if (!raw) throw new Error('it is no private key of 32 bytes');
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE, raw]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return {
    publicKey: publicKey.subarray(PUBLIC.length).toString('base64url'),
    sign: (purpose, text) => sign(null, signedBytes(purpose, text), privateKey).toString('base64url'),
  };
}

/** Whether the holder of a public key has signed a text for this purpose. */
export function isSigned(publicKey: string, purpose: Purpose, text: string, signature: string): boolean {
  const key = keyOf(publicKey);
  const bytes = bytesOf(signature, SIGNATURE_BYTES);
  return key !== undefined && bytes !== undefined && verify(null, signedBytes(purpose, text), key, bytes);
}

function signedBytes(purpose: Purpose, text: string): Buffer {
  return Buffer.from(`bedside ${purpose}\n${text}`);
}

/** Recently parsed public keys. */
const keys = new Map<string, KeyObject>();
const MAX_KEYS = 256;

function keyOf(text: string): KeyObject | undefined {
  const before = keys.get(text);
  if (before) return before;
  const raw = bytesOf(text, KEY_BYTES);
  if (!raw) return undefined;
  const key = createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: 'der', type: 'spki' });
  if (keys.size >= MAX_KEYS) keys.clear();
  keys.set(text, key);
  return key;
}

/** Decodes base64url, or returns undefined if the length differs or the encoding is not canonical. */
export function bytesOf(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === length && bytes.toString('base64url') === text ? bytes : undefined;
}
