// Bodies of several DICOM objects (multipart/related, RFC 2387), as DICOMweb sends and takes them.
import { randomBytes } from 'node:crypto';
import { BedsideError } from '../../util/index.ts';

/** A body of DICOM objects, and its content type. */
export function writeMultipart(objects: readonly Uint8Array[]): {
  readonly body: Buffer;
  readonly type: string;
} {
  // Random, so that no object can hold it.
  const boundary = `bedside-${randomBytes(16).toString('hex')}`;
  const parts = objects.flatMap((bytes) => [
    Buffer.from(`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`),
    bytes,
    Buffer.from('\r\n'),
  ]);
  return {
    body: Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)]),
    type: `multipart/related; type="application/dicom"; boundary=${boundary}`,
  };
}

/**
 * The parts of a body; a body that is one object is one part.
 * @throws BedsideError E_DATA for a body that is not as its content type says
 */
export function readMultipart(body: Buffer, contentType: string): Buffer[] {
  if (/^application\/dicom\b/i.test(contentType)) return [body];
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^;\s]{1,70}))/i.exec(contentType);
  if (!/^multipart\/related\b/i.test(contentType) || !boundary) throw malformed('it has no parts');
  const mark = Buffer.from(`--${boundary[1] ?? boundary[2]}`);
  const parts: Buffer[] = [];
  for (let at = body.indexOf(mark); at >= 0; ) {
    const from = at + mark.length;
    if (body.subarray(from, from + 2).toString('latin1') === '--') return parts;
    const head = body.indexOf('\r\n\r\n', from);
    // What stands before a boundary ends with a line feed that belongs to the boundary.
    at = body.indexOf(Buffer.concat([Buffer.from('\r\n'), mark]), head);
    if (head < 0 || at < 0) throw malformed('it is cut off');
    parts.push(body.subarray(head + 4, at));
    at += 2;
  }
  throw malformed('it is cut off');
}

function malformed(what: string): BedsideError {
  return new BedsideError('E_DATA', `the archive's answer is no body of DICOM objects: ${what}`);
}
