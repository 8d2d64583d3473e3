// The dashboard's own files, read once and served from memory: no path of a request ever reaches the disk.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** A file as it is sent. */
interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
  /** Whether its name changes with its content. */
  readonly named: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

/** Nothing but what this server gives: no inline code or style, no frame, no other site. */
export const CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  vary: 'accept-encoding',
};

/** Addresses that the pages give themselves: each is answered with the one page. */
const PAGE_PATHS = ['/', '/ward', '/requests', '/requests/:id', '/pruning', '/explain', '/policy', '/audit'];

/** The folder of the built pages: in the package, or beside the sources. Undefined where they were not built. */
export function builtPages(): string | undefined {
  const folders = ['../../web', '../../../dist/web'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  return folders.find((folder) => existsSync(join(folder, 'index.html')));
}

/** Serves the files of a folder, and its `index.html` at the addresses of pages. @throws if it cannot be read */
export async function addStaticFiles(app: FastifyInstance, folder: string): Promise<void> {
  const files = new Map<string, PageFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = `/${relative(folder, path).split(sep).join('/')}`;
    files.set(name, await readPage(path, name.startsWith('/assets/')));
  }
  const page = files.get('/index.html');
  if (!page) throw new Error(`${folder} has no index.html`);
  for (const path of PAGE_PATHS) app.get(path, (request, reply) => sendFile(request, reply, page));
  for (const [name, file] of files) {
    if (name !== '/index.html') app.get(name, (request, reply) => sendFile(request, reply, file));
  }
}

async function readPage(path: string, named: boolean): Promise<PageFile> {
  const plain = await readFile(path);
  const packed = await promisify(gzip)(plain, { level: 9 });
  const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[extname(path)] ?? 'application/octet-stream', etag, plain, packed, named };
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  const fresh = request.headers['if-none-match'] === file.etag;
  void reply.headers({
    ...HEADERS,
    etag: file.etag,
    'cache-control': file.named ? 'public, max-age=31536000, immutable' : 'no-cache',
  });
  if (fresh) return reply.code(304).send();
  const packs = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (packs && file.packed.length < file.plain.length) {
    return reply.header('content-encoding', 'gzip').type(file.type).send(file.packed);
  }
  return reply.type(file.type).send(file.plain);
}
