// Who asks, where no token says it, and for which model.
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { BedsideError, plainLine } from '../../util/index.ts';
import type { Caller } from '../security/tokens.ts';
import type { ServedModel } from '../service/served-model.ts';

/** Whoever asks where no tokens are needed. */
const ANYBODY: Caller = { name: 'anybody', roles: ['admin'] };

/** Who asks before a token was looked at: by the name in the client's certificate, where there is one. */
export function unprovenCaller(socket: Duplex): Caller {
  const { subject } = socket instanceof TLSSocket && socket.authorized ? socket.getPeerCertificate() : {};
  if (subject?.CN === undefined) return ANYBODY;
  return { ...ANYBODY, name: plainLine(`tls:${subject.CN}`).slice(0, 64) };
}

/** The model of a path. @throws BedsideError E_NOT_FOUND */
export function modelOf(
  models: ReadonlyMap<string, ServedModel>,
  { name, version }: { readonly name: string; readonly version?: string | undefined },
): ServedModel {
  const model = models.get(name);
  if (!model) {
    throw new BedsideError('E_NOT_FOUND', `there is no model '${name.slice(0, 100)}'`, {
      hint: `served: ${[...models.keys()].join(', ')}`,
    });
  }
  if (version === undefined || version === model.version) return model;
  throw new BedsideError('E_NOT_FOUND', `model '${name}' has no version '${version.slice(0, 100)}'`, {
    hint: `its version is ${model.version}; a path without a version takes it`,
  });
}
