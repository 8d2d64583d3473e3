// Arrays of text (`<U8`, `|S8`): names of classes and patients. NumPy pads every item with zeros to one width.
import { BedsideError } from '../../util/index.ts';
import { assertLength, parseNpyFrame } from './npy.ts';

const TEXT = /^([<>|=]?)([US])(\d+)$/;

/** Whether an array's first bytes say that it holds text. @throws BedsideError E_DATA for what is no array */
export function isTextArray(bytes: Uint8Array, total: number, name: string): boolean {
  return TEXT.test(parseNpyFrame(bytes, total, name).descr);
}

/**
 * The items of an array of text `[N]` or `[N, 1]`.
 * @throws BedsideError E_DATA for any other array
 */
export function decodeTextArray(bytes: Uint8Array, name: string): string[] {
  const { descr, shape, start } = parseNpyFrame(bytes, bytes.length, name);
  const match = TEXT.exec(descr);
  if (!match || shape.length === 0 || shape.slice(1).some((axis) => axis !== 1)) {
    throw new BedsideError('E_DATA', `${name}: expected text [N], got '${descr}' [${shape.join(', ')}]`, {
      hint: 'write one text for each sample',
    });
  }
  const wide = match[2] === 'U';
  const width = Number(match[3]) * (wide ? 4 : 1);
  if (width === 0) {
    throw new BedsideError('E_DATA', `${name}: its texts are all empty ('${descr}')`, {
      hint: 'write the names of classes or patients again',
    });
  }
  assertLength(shape, width, bytes.length - start, { dtype: descr, name });
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
  return Array.from({ length: shape[0] ?? 0 }, (_, row) => {
    let text = '';
    for (let at = row * width; at < (row + 1) * width; at += wide ? 4 : 1) {
      const code = wide ? view.getUint32(at, match[1] !== '>') : view.getUint8(at);
      text += code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
    }
    return text.replace(/\0+$/, '');
  });
}
