// Reads the certificate that a running server uses, which may differ from the one in the folder of the cluster.
import { connect as dial, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expiryOf } from './certificates.ts';

/** Ends of validity of a server's certificate and of its authority, ISO 8601. */
export interface ServerCertificate {
  readonly expires: string;
  readonly authorityExpires: string;
}

const TIMEOUT_MS = 3000;

/**
 * Connects to a NATS server as a client does: the server greets first, and TLS follows. Returns undefined without TLS.
 * @param server `host:port`
 * @param ca certificate of the authority that verifies the server, PEM
 */
export async function readServerCertificate(
  server: string,
  ca: string,
): Promise<ServerCertificate | undefined> {
  const { hostname, port } = new URL(`tls://${server}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = dial({ host, port: Number(port) });
  try {
    const expires = await new Promise<string>((resolve, reject) => {
      socket.setTimeout(TIMEOUT_MS, () => reject(new Error('no answer')));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
      socket.once('data', () => startTls(socket, host, ca).then(resolve, reject));
    });
    return { expires, authorityExpires: expiryOf(ca).toISOString() };
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

function startTls(socket: Socket, host: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({ socket, ca, ...(isIP(host) ? { host } : { servername: host }) }, () => {
      resolve(new Date(tls.getPeerCertificate().valid_to).toISOString());
      tls.destroy();
    });
    tls.once('error', reject);
  });
}
