// The certificate that a server shows: what is in use, whatever lies in a folder.
import { connect as dial, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { expiryOf } from './certificates.ts';

/** Until when certificates are valid, ISO 8601. */
export interface ServerCertificate {
  readonly expires: string;
  readonly authorityExpires: string;
}

const PATIENCE_MS = 3000;

/**
 * Asks for a server's certificate as a client does: it greets first, and TLS follows. Undefined when there is none.
 * @param server `host:port`
 * @param ca certificate of the authority that it is trusted by
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
      socket.setTimeout(PATIENCE_MS, () => reject(new Error('no answer')));
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
