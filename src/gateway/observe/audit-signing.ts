// Signatures of audit lines and anchors (Ed25519): whoever rewrites a log without the key cannot sign it.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import { BedsideError, writeFileAtomic } from '../../util/index.ts';
import { readTextChecked } from '../../util/internal.ts';

/** The last member of a signed line: 64 bytes in base64url. */
const SIGNED = /^(\{.*),"signature":"([\w-]{86})"\}$/s;

/** Signs what the log writes. */
export class AuditSigner {
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
  }

  /**
   * Reads a private key: PEM, PKCS #8.
   * @throws BedsideError E_FILE; E_USAGE for another kind of key
   */
  static async read(path: string): Promise<AuditSigner> {
    return new AuditSigner(ed25519(await readTextChecked(path, 'key'), path, createPrivateKey));
  }

  /** The line with its signature as the last member. @param json a JSON object, not empty */
  line(json: string): string {
    return `${json.slice(0, -1)},"signature":"${this.text(json)}"}`;
  }

  /** A signature in base64url. */
  text(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString('base64url');
  }
}

/** Public keys that signatures are checked with. */
export class AuditKeys {
  readonly #keys: readonly KeyObject[];

  private constructor(keys: readonly KeyObject[]) {
    this.#keys = keys;
  }

  /**
   * Reads public keys: PEM. Each line must be signed by one of them.
   * @throws BedsideError E_FILE; E_USAGE for another kind of key
   */
  static async read(paths: readonly string[]): Promise<AuditKeys> {
    const keys = paths.map(async (path) =>
      ed25519(await readTextChecked(path, 'key'), path, createPublicKey),
    );
    return new AuditKeys(await Promise.all(keys));
  }

  /** Whether one of the keys signed this text. */
  signed(text: string, signature: string): boolean {
    const [bytes, own] = [Buffer.from(text), Buffer.from(signature, 'base64url')];
    return this.#keys.some((key) => verify(null, bytes, key, own));
  }
}

/** What a line says without its signature, and the signature; undefined for a line that has none. */
export function signatureOf(line: string): { readonly text: string; readonly signature: string } | undefined {
  const [, head, signature] = SIGNED.exec(line) ?? [];
  return head === undefined || signature === undefined ? undefined : { text: `${head}}`, signature };
}

/**
 * Makes a key: the private one at `path`, which only its user may read, the public one at `path` with `.pub` behind it.
 * @throws BedsideError E_OUTPUT for a file that is there already, or cannot be written
 */
export async function writeAuditKey(path: string): Promise<{ readonly publicKey: string }> {
  const there = await readTextChecked(path, 'key').catch(() => undefined);
  if (there !== undefined) {
    throw new BedsideError('E_OUTPUT', `${path} is there already`, {
      hint: 'choose another name: a key that is lost cannot sign, and what it signed is checked with its public key',
    });
  }
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  await writeFileAtomic(path, privateKey.export({ type: 'pkcs8', format: 'pem' }) as string, 0o600);
  await writeFileAtomic(`${path}.pub`, publicKey.export({ type: 'spki', format: 'pem' }) as string, 0o644);
  return { publicKey: `${path}.pub` };
}

function ed25519(text: string, path: string, read: (pem: string) => KeyObject): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read(text);
  } catch {
    // Said below: what is in a file of keys is not repeated.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new BedsideError('E_USAGE', `${path} is no Ed25519 key`, {
    hint: 'bedside audit key FILE makes one, or: openssl genpkey -algorithm ed25519 -out FILE',
  });
}
