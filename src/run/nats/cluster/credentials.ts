// Credentials: the one file that a node needs in order to connect and to prove who it is.
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
  /** The only name that the node may have; absent: any name. */
  name: z.string().min(1).optional(),
  /** For a worker: whether the operator trusts it. */
  trusted: z.boolean().optional(),
  servers: z.array(z.string().min(1)).min(1),
  /** Private NATS keys: for the account where nodes meet, and for the one with the bundles. */
  seeds: z.strictObject({ fabric: z.string().min(1), store: z.string().min(1) }),
  /** Private key for signatures of the node, base64url. */
  signing: z.string().min(1),
  /** The node's identity, signed by the cluster. */
  certificate: z.string().min(1),
  /** Public key of the cluster, which verifies certificates of other nodes. */
  cluster: z.string().min(1),
  /** Certificate of the authority that signed the server's, PEM. */
  ca: z.string().min(1).optional(),
});

/** Everything that a node needs to connect. Secret. */
export type Credentials = z.output<typeof SCHEMA>;

/** Creates credentials with new keys, and returns them with the public keys that the server must know. */
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

/** Hint for files of the first version, whose keys were not signed. */
export const NEW_KEYS =
  'on the machine of the server: bedside cluster init --force makes new keys and files; copy each device its own again';

/**
 * Parses the text of a credentials file, and checks that its keys and certificate belong together.
 * @throws BedsideError E_FABRIC, without any key in its text
 */
export function parseCredentials(text: string, path: string): Credentials {
  const hint = 'bedside cluster init writes one for each role, in its folder credentials/';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BedsideError('E_FABRIC', `${path} is not a credentials file: it is not JSON`, { hint });
  }
  if ((value as { version?: unknown } | null)?.version === 1) {
    throw new BedsideError(
      'E_FABRIC',
      `${path} is from an earlier version, on whose servers any key could speak for others`,
      { hint: NEW_KEYS },
    );
  }
  const { success, data, error } = SCHEMA.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') || 'the whole';
    throw new BedsideError(
      'E_FABRIC',
      `${path} is not a credentials file: ${where}: ${issue?.message.replace(/, received .*$/, '')}`,
      {
        hint,
      },
    );
  }
  assertConsistent(data, path);
  return data;
}

/** Refuses invalid keys, and a certificate that differs from the file. */
function assertConsistent(
  { seeds, signing, certificate, cluster, ...stated }: Credentials,
  path: string,
): void {
  const hint = 'copy the file again; it must not be edited';
  let key: string;
  try {
    for (const seed of Object.values(seeds)) fromSeed(new TextEncoder().encode(seed));
    key = signerOf(signing).publicKey;
  } catch (cause) {
    throw new BedsideError('E_FABRIC', `${path}: one of its keys is invalid: ${messageOf(cause)}`, { hint });
  }
  const read = readCertificate(certificate, cluster);
  const trusted = stated.role === 'worker' && stated.trusted !== false;
  const fits = read?.key === key && read.role === stated.role && read.name === stated.name;
  if (fits && read.trusted === trusted) return;
  throw new BedsideError('E_FABRIC', `${path}: its certificate does not match its keys, role and name`, {
    hint,
  });
}
