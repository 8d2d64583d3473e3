// Texts that a node signs, with the certificate that says who it is: `certificate`, `signature`, and what was said, a line
// each. A receiver decides by the certificate alone.
import type { Credentials } from '../cluster/credentials.ts';
import { type Certificate, isCertificateOf, readCertificate } from './certificate.ts';
import { isSigned, type Purpose, type Signer, signerOf } from './signing.ts';

/** What a node signs with, and checks others by. */
export interface SigningIdentity {
  readonly certificate: string;
  readonly signer: Signer;
  /** Public key of the cluster. */
  readonly cluster: string;
}

/** Undefined on an open server, where everybody is anybody. */
export function signingIdentityOf(credentials: Credentials | undefined): SigningIdentity | undefined {
  if (!credentials) return undefined;
  const { certificate, signing, cluster } = credentials;
  return { certificate, signer: signerOf(signing), cluster };
}

/** What is said, signed. Without identification it is said as it is. */
export function signStatement(own: SigningIdentity | undefined, purpose: Purpose, text: string): string {
  return own ? `${own.certificate}\n${own.signer.sign(purpose, text)}\n${text}` : text;
}

/** Something said, and by whom; on an open server by nobody known. */
export interface Statement {
  readonly text: string;
  readonly certificate: Certificate | undefined;
}

/**
 * Reads what was signed; undefined for what does not hold.
 * @param node who is to have said it; absent: anybody with a certificate
 */
export function verifyStatement(
  own: SigningIdentity | undefined,
  purpose: Purpose,
  said: string,
  node?: string,
): Statement | undefined {
  if (!own) return { text: said, certificate: undefined };
  const first = said.indexOf('\n');
  const second = said.indexOf('\n', first + 1);
  if (first < 0 || second < 0) return undefined;
  const certificate = readCertificate(said.slice(0, first), own.cluster);
  if (!certificate || (node !== undefined && !isCertificateOf(certificate, node))) return undefined;
  const text = said.slice(second + 1);
  if (!isSigned(certificate.key, purpose, text, said.slice(first + 1, second))) return undefined;
  return { text, certificate };
}
