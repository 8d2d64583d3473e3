// Signed statements. A statement has three parts, separated by line breaks: the certificate of the node, the signature,
// and the text. A receiver relies on the certificate alone.
import type { Credentials } from '../cluster/credentials.ts';
import { type Certificate, isCertificateOf, readCertificate } from './certificate.ts';
import { isSigned, type Purpose, type Signer, signerOf } from './signing.ts';

/** The keys with which a node signs statements and verifies those of others. */
export interface SigningIdentity {
  readonly certificate: string;
  readonly signer: Signer;
  /** Public key of the cluster. */
  readonly cluster: string;
}

/** The signing identity in credentials; undefined on an open server, where nodes have no keys. */
export function signingIdentityOf(credentials: Credentials | undefined): SigningIdentity | undefined {
  if (!credentials) return undefined;
  const { certificate, signing, cluster } = credentials;
  return { certificate, signer: signerOf(signing), cluster };
}

/** A text as a signed statement. Without a signing identity the text itself. */
export function signStatement(own: SigningIdentity | undefined, purpose: Purpose, text: string): string {
  return own ? `${own.certificate}\n${own.signer.sign(purpose, text)}\n${text}` : text;
}

/** A verified text and the certificate of its author; without certificate on an open server. */
export interface Statement {
  readonly text: string;
  readonly certificate: Certificate | undefined;
}

/**
 * Verifies a statement, and returns undefined if it is not valid.
 * @param statement text as written by `signStatement`
 * @param node the expected author; absent: any node with a certificate
 */
export function verifyStatement(
  own: SigningIdentity | undefined,
  purpose: Purpose,
  statement: string,
  node?: string,
): Statement | undefined {
  if (!own) return { text: statement, certificate: undefined };
  const first = statement.indexOf('\n');
  const second = statement.indexOf('\n', first + 1);
  if (first < 0 || second < 0) return undefined;
  const certificate = readCertificate(statement.slice(0, first), own.cluster);
  if (!certificate || (node !== undefined && !isCertificateOf(certificate, node))) return undefined;
  const text = statement.slice(second + 1);
  if (!isSigned(certificate.key, purpose, text, statement.slice(first + 1, second))) return undefined;
  return { text, certificate };
}
