import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Fabric } from '../protocol/fabric.ts';
import { describeFabric, partOf } from '../test-support/fabric-suite.ts';
import { encodeFrame, type Frame, FrameReader } from './frames.ts';
import { LocalFabric } from './local-fabric.ts';

const remove = (dir: string) => (): Promise<void> => rm(dir, { recursive: true, force: true });

// Each node has a fabric object of its own, as in separate processes.
describeFabric('local', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-fabric-'));
  const fabric: Fabric = { join: (name, handlers) => new LocalFabric(dir).join(name, handlers) };
  return { fabric, close: remove(dir) };
});

describeFabric('local, in one process', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'bedside-fabric-'));
  return { fabric: new LocalFabric(dir), close: remove(dir) };
});

describe('frames', () => {
  const frames: Frame[] = [
    { kind: 'hello', from: 'a' },
    partOf(Float32Array.of(1, 2.5, -3), [3]),
    { kind: 'beat' },
    partOf(new Float32Array(0), [0]),
  ];
  const bytes = Buffer.concat(frames.flatMap(encodeFrame));

  it.each([1, 3, 64, 10_000])('are read from pieces of %i bytes', (size) => {
    const got: Frame[] = [];
    const reader = new FrameReader((frame) => got.push(frame));
    for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
    expect(got).toEqual(frames);
  });

  it('are given only when their last byte is there', () => {
    const [part] = [partOf(new Float32Array(1000), [1000])];
    const whole = Buffer.concat(encodeFrame(part));
    const got: Frame[] = [];
    const reader = new FrameReader((frame) => got.push(frame));
    reader.push(whole.subarray(0, -1));
    expect(got).toEqual([]);
    reader.push(whole.subarray(-1));
    expect(got).toEqual([part]);
  });

  it('are refused when they are none, or when the shape is not that of the numbers', () => {
    const read = (given: Buffer) => () => new FrameReader(() => {}).push(given);
    expect(read(Buffer.from('GET / HTTP/1.1\r\n'))).toThrow(/malformed message/);
    expect(read(Buffer.concat(encodeFrame(partOf(new Float32Array(4), [3]))))).toThrow(/malformed message/);
    // Longer than any tensor: refused before it arrives.
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(10, 0);
    sizes.writeUInt32LE(2 ** 30 + 4, 4);
    expect(read(sizes)).toThrow(/malformed message/);
  });
});
