// Certificates of nodes: who somebody is and whether the operator trusts it, signed by the key of the cluster. Whoever has
// that key's public half can check one, wherever it comes from.
import { z } from 'zod';
import { ROLES } from '../cluster/roles.ts';
import { addressOf, tokenOf } from '../transport/subjects.ts';
import { isSigned, type Signer } from './signing.ts';

const SCHEMA = z.strictObject({
  version: z.literal(1),
  role: z.enum(ROLES),
  /** The only name that it may bear; absent: any of its role. */
  name: z.string().min(1).optional(),
  /** Of a worker: whether the operator trusts it. */
  trusted: z.boolean(),
  /** Public key of the node's signatures, base64url. */
  key: z.string(),
});

/** Who a node is. */
export type Certificate = z.output<typeof SCHEMA>;

/** Longer ones are not read. */
const MAX_LETTERS = 4096;

/** Certificates that were found good, by cluster and text: the latest. */
const known = new Map<string, Certificate>();
const MAX_KNOWN = 256;

/** A certificate as text: what it says, a full stop, and the cluster's signature. */
export function certify(cluster: Signer, { role, name, trusted, key }: Omit<Certificate, 'version'>): string {
  const certificate = { version: 1, role, ...(name === undefined ? {} : { name }), trusted, key };
  const said = Buffer.from(JSON.stringify(certificate)).toString('base64url');
  return `${said}.${cluster.sign('certificate', said)}`;
}

/**
 * What a certificate says; undefined for one that the cluster has not signed.
 * @param cluster its public key
 */
export function readCertificate(text: string, cluster: string): Certificate | undefined {
  const key = `${cluster} ${text}`;
  const before = known.get(key);
  if (before) return before;
  const [said = '', signature = '', ...more] = text.length > MAX_LETTERS ? [] : text.split('.');
  if (more.length > 0 || !isSigned(cluster, 'certificate', said, signature)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(said, 'base64url').toString());
  } catch {
    return undefined;
  }
  const { data } = SCHEMA.safeParse(value);
  if (!data) return undefined;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, data);
  return data;
}

/** Whether a certificate is that of a node, called as others call it. */
export function isCertificateOf({ role, name }: Certificate, node: string): boolean {
  const address = addressOf(node);
  return role === address.role && (name === undefined || tokenOf(name) === address.token);
}
