// The client of DICOMweb on answers that a test makes up: bodies of parts, failures, and what messages never say.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DicomWeb } from './client.ts';
import { readMultipart, writeMultipart } from './multipart.ts';

let server: Server | undefined;
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((done) => (server ? server.close(done) : done(undefined)));
  server = undefined;
});

async function archive(listener: RequestListener): Promise<DicomWeb> {
  server = createServer(listener);
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return new DicomWeb({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/dicom-web/` });
}

const instance = {
  ...{ seriesUid: '1.2.3', instanceUid: '1.2.4', sopClass: '1.2', modality: 'DX', bodyPart: '' },
  ...{ seriesDescription: '', seriesNumber: 1, instanceNumber: 1 },
};

describe('bodies of several objects', () => {
  it('are read as they were written, whatever bytes they hold', () => {
    const objects = [
      Buffer.from('\r\n--x\r\n\r\n'),
      Buffer.alloc(0),
      Buffer.from(Array.from({ length: 512 }, (_, i) => i % 256)),
    ];
    const { body, type } = writeMultipart(objects);
    expect(readMultipart(body, type)).toEqual(objects);
    const quoted = type.replace(/boundary=(.*)$/, 'boundary="$1"');
    expect(readMultipart(body, quoted)).toEqual(objects);
    expect(readMultipart(Buffer.from('DICM'), 'application/dicom; transfer-syntax=1.2')).toEqual([
      Buffer.from('DICM'),
    ]);
  });

  it('that are cut off or of another kind are refused', () => {
    const { body, type } = writeMultipart([Buffer.from('some object'), Buffer.from('another')]);
    for (let end = 0; end < body.length - 4; end++) {
      expect(() => readMultipart(body.subarray(0, end), type)).toThrow(
        expect.objectContaining({ code: 'E_DATA' }),
      );
    }
    expect(() => readMultipart(body, 'multipart/related')).toThrow('no parts');
    expect(() => readMultipart(body, 'text/html')).toThrow('no parts');
  });
});

describe('an archive', () => {
  it('gives studies page after page', async () => {
    const asked: string[] = [];
    const own = await archive((request, response) => {
      const url = new URL(request.url ?? '', 'http://x');
      asked.push(
        `${url.pathname} ${url.searchParams.get('offset')} ${url.searchParams.get('ModalitiesInStudy')}`,
      );
      const from = Number(url.searchParams.get('offset'));
      const list = Array.from({ length: Math.min(200, 250 - from) }, (_, i) => ({
        '0020000D': { vr: 'UI', Value: [`1.2.${from + i}`] },
        '00201208': { vr: 'IS', Value: [3] },
      }));
      response.end(JSON.stringify(list));
    });
    const studies = await own.studies({ modality: 'DX' });
    expect(studies.length).toBe(250);
    expect(studies[249]).toEqual({ studyUid: '1.2.249', instances: 3 });
    expect(asked).toEqual(['/dicom-web/studies 0 DX', '/dicom-web/studies 200 DX']);
  });

  it('may have none', async () => {
    const own = await archive((_, response) => response.writeHead(204).end());
    expect(await own.studies()).toEqual([]);
  });

  it.each([
    [401, 'E_AUTH'],
    [403, 'E_FORBIDDEN'],
    [404, 'E_NOT_FOUND'],
    [500, 'E_FABRIC'],
    [302, 'E_FABRIC'],
  ])('that answers %d fails with %s, and its text is not repeated', async (status, code) => {
    const own = await archive((_, response) =>
      response.writeHead(status, { location: '/NAME' }).end('NAME^TEST'),
    );
    const error: unknown = await own.studies().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code, message: expect.stringContaining(String(status)) });
    expect(JSON.stringify(error) + String(error)).not.toContain('NAME');
  });

  it.each([
    ['a page', '<html>NAME^TEST</html>'],
    ['a study without a UID', '[{"00100010":{"Value":["NAME^TEST"]}}]'],
    ['a UID that would leave the path', '[{"0020000D":{"Value":["../../NAME^TEST"]}}]'],
  ])('that answers %s is refused', async (_, text) => {
    const own = await archive((__, response) => response.end(text));
    const error: unknown = await own.studies().catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'E_DATA' });
    expect(JSON.stringify(error) + String(error)).not.toContain('NAME');
  });

  it('that breaks the connection, or is not there, cannot be asked', async () => {
    const own = await archive((request) => request.socket.destroy());
    await expect(own.studies()).rejects.toMatchObject({ code: 'E_FABRIC' });
    server?.close();
    await expect(own.studies()).rejects.toMatchObject({ code: 'E_FABRIC' });
  });

  it('that stored a part of the objects has failed', async () => {
    let said: object = {};
    const own = await archive((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify(said)));
    });
    const objects = [1, 2].map((i) => ({ instanceUid: `1.${i}`, bytes: new Uint8Array(10) }));
    const one = { Value: [{}] };
    said = { '00081199': { Value: [{}, {}] } };
    await own.store('1.2', objects);
    for (const wrong of [{ '00081199': one, '00081198': one }, { '00081199': one }, {}]) {
      said = wrong;
      await expect(own.store('1.2', objects)).rejects.toMatchObject({ code: 'E_FABRIC' });
    }
  });

  it('gives one instance as a part, or as itself', async () => {
    const { body, type } = writeMultipart([Buffer.from('object')]);
    let answer = { type, body };
    const own = await archive((_, response) =>
      response.writeHead(200, { 'content-type': answer.type }).end(answer.body),
    );
    expect(Buffer.from(await own.retrieve('1.2', instance)).toString()).toBe('object');
    const two = writeMultipart([Buffer.from('object'), Buffer.from('another')]);
    answer = two;
    await expect(own.retrieve('1.2', instance)).rejects.toMatchObject({ code: 'E_DATA' });
    await expect(own.retrieve('1.2', { ...instance, seriesUid: '..' })).rejects.toMatchObject({
      code: 'E_DATA',
    });
  });
});
