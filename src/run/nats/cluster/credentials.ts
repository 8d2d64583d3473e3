// Credentials: one file that a node needs to connect and to be believed, and all that it needs.
import { createUser, fromSeed } from '@nats-io/nkeys';
import { z } from 'zod';
import { BedsideError, messageOf } from '../../../util/index.ts';
import { certify, readCertificate } from '../identity/certificate.ts';
import { newSigningKey, type Signer, signerOf } from '../identity/signing.ts';
import { type Identity, ROLES } from './roles.ts';
import type { User } from './server-config.ts';

const VERSION = 2;

const SCHEMA = z.strictObject({
  format: z.literal('bedside-credentials'),
  version: z.literal(VERSION),
  role: z.enum(ROLES),
  /** The only name that it may bear. */
  name: z.string().min(1).optional(),
  /** Of a worker: whether the operator trusts it. */
  trusted: z.boolean().optional(),
  servers: z.array(z.string().min(1)).min(1),
  /** Private keys, as NATS writes them: for the account where nodes meet, and for that where bundles are. */
  seeds: z.strictObject({ fabric: z.string().min(1), store: z.string().min(1) }),
  /** Private key of its signatures, base64url. */
  signing: z.string().min(1),
  /** Who it is, signed by the cluster. */
  certificate: z.string().min(1),
  /** Public key of the cluster, by which others are known. */
  cluster: z.string().min(1),
  /** Certificate of the authority that signed the server's, PEM. */
  ca: z.string().min(1).optional(),
});

/** What a node connects with. Secret. */
export type Credentials = z.output<typeof SCHEMA>;

/** Credentials with new keys, and the public keys that the server must know. */
export function newCredentials(
  identity: Identity,
  {
    servers,
    ca,
    signer,
  }: { readonly servers: readonly string[]; readonly ca: string; readonly signer: Signer },
): { readonly credentials: Credentials; readonly keys: User['keys'] } {
  const [fabric, store] = [createUser(), createUser()];
  const seedOf = (key: typeof fabric): string => new TextDecoder().decode(key.getSeed());
  const { role, name } = identity;
  // A worker is trusted unless the operator says that it is not.
  const trusted = role === 'worker' && identity.trusted !== false;
  const signing = newSigningKey();
  const credentials: Credentials = {
    format: 'bedside-credentials',
    version: VERSION,
    role,
    ...(name === undefined ? {} : { name }),
    ...(identity.trusted === undefined ? {} : { trusted: identity.trusted }),
    servers: [...servers],
    seeds: { fabric: seedOf(fabric), store: seedOf(store) },
    signing,
    certificate: certify(signer, { role, name, trusted, key: signerOf(signing).publicKey }),
    cluster: signer.publicKey,
    ca,
  };
  return { credentials, keys: { fabric: fabric.getPublicKey(), store: store.getPublicKey() } };
}

/** What to do where files are of before each key was signed for. */
export const NEW_KEYS =
  'on the machine of the server: bedside cluster init --force makes new keys and files; copy each device its own again';

/**
 * Reads a credentials file's text.
 * @throws BedsideError E_FABRIC, which never repeats a key
 */
export function parseCredentials(text: string, path: string): Credentials {
  const hint = 'bedside cluster init writes one for each role, in its folder credentials/';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BedsideError('E_FABRIC', `${path} is no credentials file: it is not JSON`, { hint });
  }
  if ((value as { version?: unknown } | null)?.version === 1) {
    throw new BedsideError(
      'E_FABRIC',
      `${path} is of an earlier version, on whose servers any key could speak for others`,
      { hint: NEW_KEYS },
    );
  }
  const { success, data, error } = SCHEMA.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') || 'the whole';
    throw new BedsideError(
      'E_FABRIC',
      `${path} is no credentials file: ${where}: ${issue?.message.replace(/, received .*$/, '')}`,
      {
        hint,
      },
    );
  }
  assertWhole(data, path);
  return data;
}

/** Keys that are some, and a certificate that says what the file says. */
function assertWhole({ seeds, signing, certificate, cluster, ...said }: Credentials, path: string): void {
  const hint = 'copy the file again; it must not be edited';
  let key: string;
  try {
    for (const seed of Object.values(seeds)) fromSeed(new TextEncoder().encode(seed));
    key = signerOf(signing).publicKey;
  } catch (cause) {
    throw new BedsideError('E_FABRIC', `${path}: one of its keys is none: ${messageOf(cause)}`, { hint });
  }
  const read = readCertificate(certificate, cluster);
  const trusted = said.role === 'worker' && said.trusted !== false;
  const fits = read?.key === key && read.role === said.role && read.name === said.name;
  if (fits && read.trusted === trusted) return;
  throw new BedsideError('E_FABRIC', `${path}: its certificate is not that of its keys, role and name`, {
    hint,
  });
}
