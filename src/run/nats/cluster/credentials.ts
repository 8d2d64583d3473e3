// Credentials: one file that a node needs to connect, and all that it needs.
import { createUser, fromSeed } from '@nats-io/nkeys';
import { z } from 'zod';
import { BedsideError, messageOf } from '../../../util/index.ts';
import { type Identity, ROLES } from './roles.ts';

const SCHEMA = z.strictObject({
  format: z.literal('bedside-credentials'),
  version: z.literal(1),
  role: z.enum(ROLES),
  /** The only name that the server lets it bear. */
  name: z.string().min(1).optional(),
  /** Of a worker: whether it may say that it is trusted. */
  trusted: z.boolean().optional(),
  servers: z.array(z.string().min(1)).min(1),
  /** Private key, as NATS writes it. */
  seed: z.string().min(1),
  /** Certificate of the authority that signed the server's, PEM. */
  ca: z.string().min(1).optional(),
});

/** What a node connects with. Secret. */
export type Credentials = z.output<typeof SCHEMA>;

/** Credentials with a new key, and the public key that the server must know. */
export function newCredentials(
  identity: Identity,
  servers: readonly string[],
  ca: string,
): { readonly credentials: Credentials; readonly publicKey: string } {
  const key = createUser();
  const credentials: Credentials = {
    format: 'bedside-credentials',
    version: 1,
    role: identity.role,
    ...(identity.name === undefined ? {} : { name: identity.name }),
    ...(identity.trusted === undefined ? {} : { trusted: identity.trusted }),
    servers: [...servers],
    seed: new TextDecoder().decode(key.getSeed()),
    ca,
  };
  return { credentials, publicKey: key.getPublicKey() };
}

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
  const { success, data, error } = SCHEMA.safeParse(value);
  if (!success) {
    const [issue] = error.issues;
    const where = issue?.path.join('.') || 'the whole';
    throw new BedsideError('E_FABRIC', `${path} is no credentials file: ${where}: ${issue?.message}`, {
      hint,
    });
  }
  publicKeyOf(data, path);
  return data;
}

/**
 * The public key of credentials.
 * @throws BedsideError E_FABRIC when the private one is none
 */
export function publicKeyOf({ seed }: Credentials, path: string): string {
  try {
    return fromSeed(new TextEncoder().encode(seed)).getPublicKey();
  } catch (cause) {
    throw new BedsideError('E_FABRIC', `${path}: its seed is no NKey: ${messageOf(cause)}`, {
      hint: 'copy the file again; it must not be edited',
    });
  }
}
