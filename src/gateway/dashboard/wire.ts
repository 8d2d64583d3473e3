// What the gateway tells its dashboard: plain values as JSON. The pages import these types, and nothing else of `src/`.
import type { PolicyPoint } from './wire-policy.ts';
import type { RequestEvents } from './wire-requests.ts';
import type { WardEvents } from './wire-ward.ts';

/** A page, by the role that its figures need. */
export type PageName = 'ward' | 'requests' | 'pruning' | 'explain' | 'policy' | 'audit';

/** Who looks, and at what. */
export interface SessionInfo {
  /** Whether a token is needed, and no session has been opened with one. */
  readonly signInNeeded: boolean;
  /** Name of the token; `anybody` where none is needed. Empty before signing in. */
  readonly caller: string;
  readonly roles: readonly string[];
  /** When the session ends: milliseconds since 1970. */
  readonly expires?: number | undefined;
  readonly version: string;
  readonly models: readonly ServedName[];
  /** Whether an audit log is kept. */
  readonly audit: boolean;
  /** Whether this is the demo's gateway, with buttons to break things. */
  readonly demo?: boolean | undefined;
}

/** The demo's ward. */
export interface WireDemo {
  readonly devices: readonly {
    readonly name: string;
    /** Whether its process runs. */
    readonly runs: boolean;
    /** Whether it may be killed: not the one in the gateway's own process. */
    readonly canEnd: boolean;
  }[];
  readonly throttled: { readonly from: string; readonly to: string } | null;
}

/** A served model. */
export interface ServedName {
  readonly name: string;
  readonly version: string;
}

/** An error of any path below `/api`. */
export interface WireProblem {
  readonly error: string;
  readonly code: string;
  readonly hint?: string | undefined;
}

/** Events of the stream, by kind. */
export interface Events extends WardEvents, RequestEvents {
  /** Plans compared at one moment. */
  readonly point: { readonly model: string; readonly point: PolicyPoint };
  /** What the gateway says beside its answers: plans made again, devices left out. */
  readonly note: { readonly at: number; readonly model?: string | undefined; readonly text: string };
}
