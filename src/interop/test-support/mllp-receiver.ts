// Receivers of HL7 v2 for tests: one with all the faults of a network, and one that nobody here wrote (python3-hl7).
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { createServer as createSecure } from 'node:tls';

/** What happens to one message: an acknowledgement's code with an error of table 0357, bytes as they are, or a closed line. */
export type Acknowledgement =
  | { readonly code: string; readonly error?: string }
  | { readonly bytes: string }
  | 'closed';

/** A receiver that keeps what it gets, and acknowledges as it is told; then with AA. */
export class MllpReceiver {
  readonly next: Acknowledgement[] = [];
  readonly messages: string[] = [];
  readonly #server: Server;

  private constructor(tls?: { readonly key: string; readonly cert: string }) {
    const listener = (socket: Socket): void => {
      let got = '';
      socket.on('error', () => {});
      socket.setEncoding('utf8').on('data', (piece) => {
        got += String(piece);
        if (got.endsWith('\x1c\r')) this.#answer(socket, got.slice(1, -2));
      });
    };
    this.#server = tls ? createSecure(tls, listener) : createServer(listener);
  }

  static async start(tls?: { readonly key: string; readonly cert: string }): Promise<MllpReceiver> {
    const own = new MllpReceiver(tls);
    own.#server.listen(0, '127.0.0.1');
    await once(own.#server, 'listening');
    return own;
  }

  get place(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    await new Promise((done) => this.#server.close(done));
  }

  #answer(socket: Socket, message: string): void {
    this.messages.push(message);
    const how = this.next.shift() ?? { code: 'AA' };
    if (how === 'closed') return void socket.destroy();
    if ('bytes' in how) return void socket.write(how.bytes);
    const id = message.split('|')[9] ?? '';
    const error = how.error === undefined ? '' : `ERR|||${how.error}^text|E\r`;
    // In two pieces, as networks give them.
    socket.write(`\x0bMSH|^~\\&|||||20260301||ACK^R01^ACK|7|P|2.5.1\rMSA|${how.code}|`);
    setTimeout(() => socket.write(`${id}\r${error}\x1c\r`), 2);
  }
}

const PYTHON = '/usr/bin/python3';
const SCRIPT = `
import asyncio, json, hl7
from hl7.mllp import start_hl7_server
def plain(part, message):
    return [plain(own, message) for own in part] if isinstance(part, hl7.Container) else message.unescape(str(part))
async def serve(reader, writer):
    while not writer.is_closing():
        try:
            message = await reader.readmessage()
        except asyncio.IncompleteReadError:
            break
        print(json.dumps([plain(own, message) for own in message]), flush=True)
        writer.writemessage(message.create_ack())
        await writer.drain()
async def main():
    async with await start_hl7_server(serve, host='127.0.0.1', port=0, encoding='utf-8') as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()
asyncio.run(main())
`;

/** Whether there is a parser of HL7 v2 that nobody here wrote; prints a note once if there is none. */
export const hasHl7Parser = found();

function found(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'from hl7.mllp import start_hl7_server'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('skipped: HL7 v2 by another parser needs python3-hl7 (apt install python3-hl7)\n');
    return false;
  }
}

/** A field: a text, or repetitions of components of subcomponents. */
export type ParsedPart = string | readonly ParsedPart[];

/** The server of python3-hl7, which parses each message and acknowledges it. */
export class PythonReceiver {
  readonly #process: ChildProcess;
  readonly messages: (readonly (readonly ParsedPart[])[])[] = [];
  place = '';

  private constructor() {
    this.#process = spawn(PYTHON, ['-c', SCRIPT], { stdio: ['ignore', 'pipe', 'inherit'] });
  }

  static async start(): Promise<PythonReceiver> {
    const own = new PythonReceiver();
    const lines = createInterface({ input: own.#process.stdout as NodeJS.ReadableStream });
    const [port] = (await once(lines, 'line')) as [string];
    own.place = `127.0.0.1:${port}`;
    lines.on('line', (line) => own.messages.push(JSON.parse(line)));
    return own;
  }

  async close(): Promise<void> {
    this.#process.kill();
    await once(this.#process, 'exit');
  }
}
