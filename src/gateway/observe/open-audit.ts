// Opens the audit log of a gateway, with the places that remember its end.
import { isAnchorAddress, type Journal } from '../../app/index.ts';
import { messageOf } from '../../util/index.ts';
import type { AnchorStore } from './audit-anchor.ts';
import { AuditLog } from './audit-log.ts';
import { AuditSigner } from './audit-signing.ts';
import { NatsAnchor } from './server-anchor.ts';

/** How a gateway keeps its audit log. */
export interface AuditSettings {
  /** Folder of the audit log, which must exist; default: none is kept. */
  readonly audit?: string | undefined;
  /**
   * Where the end of the log is remembered: a file, best on other media, or `nats://host:port[/GATEWAY/LOG]`. Default: a
   * file in the folder of the log. With a `fabric`, its server remembers it too.
   */
  readonly auditAnchor?: string | undefined;
  /** File of an Ed25519 key (PEM, PKCS #8) that signs each line; `writeAuditKey` makes one. */
  readonly auditKey?: string | undefined;
  /** Bytes of the log's files, after which a new one is begun; default 64 MiB. */
  readonly auditRotate?: number | undefined;
}

/** A log, and where its end is remembered. */
export interface OpenedAudit {
  readonly folder: string;
  readonly log: AuditLog;
  /** File of the anchor; undefined for the one in the folder. */
  readonly anchor: string | undefined;
  readonly anchors: readonly AnchorStore[];
  /** Closes the log, then what remembers its end. */
  close(): Promise<void>;
}

/** A place that stays silent is told of so often. */
const REMIND_MS = 60_000;

/**
 * @throws BedsideError as `AuditLog.open` and `AuditSigner.read`; E_FABRIC for a server that was named and does not answer
 */
export async function openAudit(
  settings: AuditSettings & {
    readonly fabric?: string | undefined;
    readonly credentials?: string | undefined;
  },
  journal: Pick<Journal, 'note'>,
): Promise<OpenedAudit | undefined> {
  const { audit: folder, auditAnchor, auditKey, auditRotate: rotateBytes } = settings;
  if (folder === undefined) return undefined;
  const onServer = auditAnchor !== undefined && isAnchorAddress(auditAnchor);
  const anchor = onServer ? undefined : auditAnchor;
  const signer = auditKey === undefined ? undefined : await AuditSigner.read(auditKey);
  const anchors = await serverAnchors({ ...settings, audit: folder }, onServer, journal);
  const close = async (): Promise<void> => {
    for (const one of anchors) await one.close();
  };
  try {
    const log = await AuditLog.open(folder, {
      ...{ anchor, anchors, rotateBytes, signer },
      onAnchorFailure: reminding(journal),
    });
    const closeAll = async (): Promise<void> => {
      await log.close();
      await close();
    };
    return { ...{ folder, log, anchor, anchors }, close: closeAll };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The anchor on the server that was named, or else on that of the fabric, which may not have a place for it. */
async function serverAnchors(
  { audit, auditAnchor, fabric, credentials }: Parameters<typeof openAudit>[0] & { readonly audit: string },
  isNamed: boolean,
  journal: Pick<Journal, 'note'>,
): Promise<NatsAnchor[]> {
  if (!isNamed && fabric === undefined) return [];
  let anchor: NatsAnchor | undefined;
  try {
    const address = isNamed ? auditAnchor : fabric;
    anchor = await NatsAnchor.open({ address, folder: audit }, credentials, true);
    await anchor.read();
    journal.note(`the end of the audit log is remembered at ${anchor.name}`);
    return [anchor];
  } catch (error) {
    await anchor?.close();
    if (isNamed) throw error;
    journal.note(`the NATS server does not remember the end of the audit log: ${messageOf(error)}`);
    return [];
  }
}

/** Tells of a place that cannot be written, once in a while. */
function reminding(journal: Pick<Journal, 'note'>): (store: string, error: unknown) => void {
  const told = new Map<string, number>();
  return (store, error) => {
    const now = performance.now();
    if (now - (told.get(store) ?? Number.NEGATIVE_INFINITY) < REMIND_MS) return;
    told.set(store, now);
    journal.note(`the anchor ${store} of the audit log cannot be written: ${messageOf(error)}`);
  };
}
