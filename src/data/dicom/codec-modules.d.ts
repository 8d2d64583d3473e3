// The codecs come without types. Each module makes an instance of its own; memory of one that gave up is not used again.
declare module '@cornerstonejs/codec-charls/decodewasmjs' {
  export default function make(): Promise<unknown>;
}
declare module '@cornerstonejs/codec-openjpeg/decodewasmjs' {
  export default function make(): Promise<unknown>;
}
declare module '@cornerstonejs/codec-openjph/wasmjs' {
  export default function make(): Promise<unknown>;
}
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  export default function make(): Promise<unknown>;
}
declare module 'jpeg-lossless-decoder-js' {
  export class Decoder {
    decode(buffer: ArrayBufferLike, offset: number, length: number, bytes: number): Uint8Array | Uint16Array;
  }
}
