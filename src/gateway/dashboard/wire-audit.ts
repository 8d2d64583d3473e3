// What the page Audit is told.

/** Lines of the audit log that fit a search, the newest first. */
export interface AuditFound {
  readonly lines: readonly AuditEntry[];
  /** Lines that were read for it. */
  readonly read: number;
  /** Whether older lines were not read, because enough were found or the search took long. */
  readonly more: boolean;
  /** Lines in the log. */
  readonly entries: number;
  /** Hash of the newest line. */
  readonly head: string;
}

/** A line: its fields as they are in the log, and its file. */
export interface AuditEntry {
  readonly file: string;
  readonly line: Readonly<Record<string, unknown>> & { readonly seq: number; readonly time: string };
}

/** The result of reading the whole log. */
export interface AuditVerdict {
  readonly ok: boolean;
  readonly entries: number;
  readonly anchored: boolean;
  readonly seconds: number;
  /** When it was read: milliseconds since 1970. */
  readonly at: number;
  readonly firstBad?: { readonly file: string; readonly line: number; readonly reason: string } | undefined;
}
