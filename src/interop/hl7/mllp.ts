// Messages of HL7 v2 over MLLP, as blocks with their acknowledgement (original mode), and where they wait until it comes.
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { BedsideError, messageOf as textOf } from '../../util/index.ts';
import { isLoopback } from '../../util/internal.ts';
import { type Outlet, QueuedOutlet } from '../deliver/outlet.ts';
import type { Outcome } from '../deliver/post-transaction.ts';
import { ResultQueue } from '../deliver/queue.ts';
import type { Hl7Message } from './message.ts';

/** How messages are delivered. */
export interface Hl7OutletOptions {
  /** Folder in which messages wait for their receiver. */
  readonly queue: string;
  /** Certificates of authorities, in PEM; default those that Node trusts. */
  readonly ca?: string | undefined;
  /** Unprotected to another machine too. */
  readonly plain?: boolean | undefined;
  /** Seconds before the first new try, doubled for each further one up to 60; default 1. */
  readonly firstRetry?: number | undefined;
  /** Told what hinders deliveries, in words that name no patient. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** A receiver's address. */
interface Place {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
  readonly ca?: string | undefined;
}

const [BEGIN, END, RETURN] = [0x0b, 0x1c, 0x0d];
/** Seconds for one message and its acknowledgement. */
const TIMEOUT = 30;
const MOST_ANSWER = 2 ** 20;
/** Errors (table 0357) of a message that will be no better another time: its type, event, processing or version. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['200', '201', '202', '203']);
/** Errors of now: a record in use, and of the receiver itself. */
const PASSING: ReadonlySet<string> = new Set(['206', '207']);

/**
 * Opens a receiver of HL7 v2: `mllps://host:port` (TLS), or `mllp://host:port` of this machine.
 * @throws BedsideError E_USAGE for an address that is none or unprotected; E_OUTPUT; E_BUSY when another process uses the queue
 */
export async function openHl7Outlet(target: string, options: Hl7OutletOptions): Promise<Outlet<Hl7Message>> {
  const { queue, firstRetry = 1, onNote = () => {}, ca, plain = false } = options;
  const place = { ...placeOf(target, plain), ca };
  const receiver = {
    name: 'the HL7 receiver',
    idOf: ({ id }: Hl7Message) => id,
    bodyOf: ({ controlId, text }: Hl7Message) => JSON.stringify({ controlId, text }),
    post: async (body: string, signal: AbortSignal): Promise<Outcome> => {
      const { controlId, text } = JSON.parse(body) as Omit<Hl7Message, 'id'>;
      try {
        return outcomeOf(await exchange(place, text, signal), controlId, `${place.host}:${place.port}`);
      } catch (error) {
        return { kind: 'later', why: `the HL7 receiver ${place.host}:${place.port}: ${textOf(error)}` };
      }
    },
  };
  return new QueuedOutlet(receiver, await ResultQueue.open(queue), firstRetry, onNote);
}

/** @throws BedsideError E_USAGE */
function placeOf(target: string, plain: boolean): Place {
  const wrong = (problem: string, hint: string): never => {
    throw new BedsideError('E_USAGE', `the address of the HL7 receiver ${problem}`, { hint });
  };
  const [, scheme, name = '', digits] = /^(mllps?):\/\/([^\s/?#@]+):(\d{1,5})\/?$/i.exec(target) ?? [];
  const [host, port] = [name.replace(/^\[|\]$/g, ''), Number(digits)];
  if (scheme === undefined || !(port >= 1 && port <= 65_535)) wrong('is none', 'such as mllps://host:2575');
  const isSecure = scheme?.toLowerCase() === 'mllps';
  if (!isSecure && !plain && !isLoopback(host))
    wrong('is plain MLLP to another machine', 'use mllps: results of patients would be readable on the way');
  return { host, port, isSecure };
}

/** Sends a message, and resolves with the text that acknowledges it. */
async function exchange(place: Place, text: string, stop: AbortSignal): Promise<string> {
  const limit = AbortSignal.timeout(1000 * TIMEOUT);
  const signal = AbortSignal.any([stop, limit]);
  const socket = await connected(place, signal);
  try {
    return await new Promise<string>((resolve, reject) => {
      let got = Buffer.alloc(0);
      const aborted = (): void =>
        reject(new Error(limit.aborted ? `no acknowledgement within ${TIMEOUT} s` : 'it was stopped'));
      signal.addEventListener('abort', aborted, { once: true });
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('it closed the connection without an acknowledgement')));
      socket.on('data', (piece: Buffer) => {
        got = Buffer.concat([got, piece]);
        const end = got.indexOf(Uint8Array.of(END, RETURN));
        if (end >= 0 && got[0] === BEGIN) resolve(got.subarray(1, end).toString('utf8'));
        else if (end >= 0 || got[0] !== BEGIN) reject(new Error('it answers with something else than MLLP'));
        else if (got.length > MOST_ANSWER) reject(new Error('its acknowledgement is too long'));
      });
      socket.write(Buffer.concat([Uint8Array.of(BEGIN), Buffer.from(text), Uint8Array.of(END, RETURN)]));
    });
  } finally {
    socket.destroy();
  }
}

async function connected({ host, port, isSecure, ca }: Place, signal: AbortSignal): Promise<Socket> {
  const socket = isSecure
    ? connectSecure({ host, port, ...(isIP(host) ? {} : { servername: host }), ...(ca ? { ca } : {}) })
    : connectPlain({ host, port });
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(new Error('no connection')), { once: true });
      socket.once('error', reject);
      socket.once(isSecure ? 'secureConnect' : 'connect', () => resolve());
    });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * What an acknowledgement means. AA (and CA): taken. AE: an error in the message, unless it is one of the receiver. AR: not
 * taken now, unless it takes no such messages.
 */
function outcomeOf(answer: string, controlId: string, where: string): Outcome {
  const segments = answer.split(/\r\n?|\n/).map((line) => line.split('|'));
  const of = (name: string): readonly string[] => segments.find(([own]) => own === name) ?? [];
  const [, code = '', answered] = of('MSA');
  const said = `the HL7 receiver ${where} answered ${/^[AC][AER]$/.test(code) ? code : 'without a known code'}`;
  if (of('MSH').length === 0 || answered !== controlId)
    return { kind: 'later', why: `${said}, for no message that was sent` };
  const error = of('ERR')[3]?.split('^')[0] ?? '';
  if (code === 'AA' || code === 'CA') return { kind: 'delivered' };
  const isForGood = code.endsWith('E') ? !PASSING.has(error) : UNSUPPORTED.has(error);
  const why = /^\d{3}$/.test(error) ? `${said} (error ${error})` : said;
  if (/^[AC][ER]$/.test(code) && isForGood)
    return { kind: 'refused', why, said: answer.replaceAll('\r', '\n') };
  return { kind: 'later', why };
}
