// Errors a user may meet: a stable code, what was wrong and where, and what to do about it.

/** The stable error codes; the message and the hint may change, a code does not. */
export const ERROR_CODES = [
  'E_USAGE', // a flag or an argument is missing, unknown or out of range
  'E_FILE', // a file or folder is missing, unreadable or empty
  'E_OUTPUT', // an output path cannot be written
  'E_MODEL', // not an ONNX model, truncated, or inconsistent
  'E_UNSUPPORTED', // a valid model uses something this version does not do, or an optional package is not installed
  'E_NO_CHANNELS', // no channel of the model can be pruned
  'E_DATA', // a dataset is malformed
  'E_DATA_FIT', // a dataset's shape or class count does not fit the model
  'E_CONTRACT', // a model.json or a model's metadata is malformed, or does not fit the model
  'E_CRITERION', // an unknown criterion
  'E_FLEET', // a fleet is malformed: an unknown device, a missing link, a figure out of range
  'E_REQUEST', // a request is malformed, or asks for what the bundle does not have
  'E_TRACE', // a ward's trace is malformed, or does not fit the bundles
  'E_BUNDLE', // not a bundle, or one that contradicts itself
  'E_BUNDLE_VERSION', // a bundle of a newer version
  'E_BUNDLE_MISSING', // a file that a bundle names is missing
  'E_BUNDLE_HASH', // a file of a bundle has changed
  'E_LEVELS', // levels that a bundle does not have
  'E_DEVICE', // a plan needs more memory or battery than a device has
  'E_LOST', // a device is gone, and no plan without it is left
  'E_DEADLINE', // no result before the deadline
  'E_FABRIC', // nodes cannot be started or reached
  'E_BUSY', // a queue is full, or a server is stopping: try again later
  'E_CANCELLED', // whoever asked has gone
  'E_AUTH', // a token or certificate is missing or unknown
  'E_FORBIDDEN', // a token's role does not allow this
  'E_NOT_FOUND', // a server has no such path or model
  'E_TOO_LARGE', // a request is larger than a server takes
  'E_AUDIT', // an audit log is not what was written
  'E_NOT_FINITE', // a network gives NaN or infinite numbers
  'E_ENGINE', // ONNX Runtime refused or failed
  'E_INTERNAL', // a defect of bedside itself
] as const;

/** The stable codes of errors; each one's meaning stands beside it in `ERROR_CODES`. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/** An expected failure, told to the user as `message` (what, where) and `hint` (what to do). */
export class BedsideError extends Error {
  override readonly name = 'BedsideError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  /** Whether `error` is a BedsideError, of the given code if one is given. */
  static is(error: unknown, code?: ErrorCode): error is BedsideError {
    return error instanceof BedsideError && (code === undefined || error.code === code);
  }
}

/**
 * The value, or an E_INTERNAL error when it is undefined: for lookups that our own invariants guarantee.
 * @throws BedsideError E_INTERNAL
 */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new BedsideError('E_INTERNAL', `internal: ${what}`);
  return value;
}

/** A short text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
