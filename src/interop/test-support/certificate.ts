// A certificate of this machine that signs itself, made by openssl.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Whether it can be made; told once for each file of tests. */
export function hasOpenssl(tests: string): boolean {
  const has = spawnSync('openssl', ['version']).status === 0;
  if (!has) console.log(`skipped: ${tests} needs openssl`);
  return has;
}

/** `key.pem` and `cert.pem` in a folder, as text. */
export function selfSigned(folder: string): { readonly key: string; readonly cert: string } {
  const path = (name: string): string => join(folder, name);
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const key = [...curve, '-nodes', '-keyout', path('key.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...key, ...names, '-days', '2', '-out', path('cert.pem')], {
    stdio: 'pipe',
  });
  return { key: readFileSync(path('key.pem'), 'utf8'), cert: readFileSync(path('cert.pem'), 'utf8') };
}
