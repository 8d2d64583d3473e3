// Certificates of nodes: role, name and trust, signed with the key of the cluster. Anybody with the public key of the
// cluster can verify a certificate, wherever it comes from.
import { z } from 'zod';
import { ROLES } from '../cluster/roles.ts';
import { addressOf, tokenOf } from '../transport/subjects.ts';
import { isSigned, type Signer } from './signing.ts';

const SCHEMA = z.strictObject({
  version: z.literal(1),
  role: z.enum(ROLES),
  /** The only name that the node may have; absent: any name of its role. */
  name: z.string().min(1).optional(),
  /** For a worker: whether the operator trusts it. */
  trusted: z.boolean(),
  /** Public key that verifies signatures of the node, base64url. */
  key: z.string(),
});

/** The identity of a node. */
export type Certificate = z.output<typeof SCHEMA>;

/** Largest certificate in characters; longer ones are not read. */
const MAX_LETTERS = 4096;

/** Recent valid certificates, by cluster and text. */
const known = new Map<string, Certificate>();
const MAX_KNOWN = 256;

/** A signed certificate as text: its content in base64url, a full stop, and the signature of the cluster. */
export function certify(cluster: Signer, { role, name, trusted, key }: Omit<Certificate, 'version'>): string {
  const certificate = { version: 1, role, ...(name === undefined ? {} : { name }), trusted, key };
  const content = Buffer.from(JSON.stringify(certificate)).toString('base64url');
  return `${content}.${cluster.sign('certificate', content)}`;
}

/**
 * The content of a certificate, or undefined if the cluster has not signed it.
 * @param cluster public key of the cluster
 */
export function readCertificate(text: string, cluster: string): Certificate | undefined {
  const key = `${cluster} ${text}`;
  const before = known.get(key);
  if (before) return before;
  const [content = '', signature = '', ...more] = text.length > MAX_LETTERS ? [] : text.split('.');
  if (more.length > 0 || !isSigned(cluster, 'certificate', content, signature)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(content, 'base64url').toString());
  } catch {
    return undefined;
  }
  const { data } = SCHEMA.safeParse(value);
  if (!data) return undefined;
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(key, data);
  return data;
}

/** Whether a certificate belongs to the node with this name. */
export function isCertificateOf({ role, name }: Certificate, node: string): boolean {
  const address = addressOf(node);
  return role === address.role && (name === undefined || tokenOf(name) === address.token);
}
