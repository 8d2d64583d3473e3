// The errors with which requests end.
import { BedsideError } from '../../util/index.ts';

/** The error of a request that missed its deadline. @param deadline seconds */
export function deadlineError(deadline: number): BedsideError {
  return new BedsideError('E_DEADLINE', `no result within ${deadline} s`, {
    hint: 'allow more time, or plan at lower levels or on faster devices',
  });
}

/** The error of a request that was given up. */
export function cancelledError(): BedsideError {
  return new BedsideError('E_CANCELLED', 'the request was given up by whoever sent it');
}

/** The error of a request or question to a device that is gone. */
export function lostError(peer: string, why: string): BedsideError {
  return new BedsideError('E_LOST', `device '${peer}' is lost: ${why}`, {
    hint: 'start it again, or plan for the devices that are left',
  });
}
