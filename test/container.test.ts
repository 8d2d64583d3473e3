// Dockerfile and compose.yaml, where no engine is: read as text and held to what docs/operations.md promises of them.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = new URL('../', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), 'utf8');

/** One instruction, its continued lines joined. */
interface Instruction {
  readonly word: string;
  readonly rest: string;
}

const INSTRUCTIONS: readonly Instruction[] = read('Dockerfile')
  .split('\n')
  .filter((line) => !line.startsWith('#'))
  .join('\n')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ word: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1).trim() }));

/** Instructions of each stage, the first being its FROM. */
const STAGES: readonly (readonly Instruction[])[] = INSTRUCTIONS.reduce<Instruction[][]>((stages, one) => {
  if (one.word === 'FROM') stages.push([]);
  stages.at(-1)?.push(one);
  return stages;
}, []);

const of = (stage: readonly Instruction[] | undefined, word: string): string[] =>
  (stage ?? []).filter((one) => one.word === word).map(({ rest }) => rest);

/** What the package writes when it is built. */
const BUILT = ['dist', 'node_modules'];

describe('Dockerfile', () => {
  it('has words that Docker knows, and begins with a stage', () => {
    const known = 'FROM WORKDIR ENV COPY RUN USER EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' ');
    expect(INSTRUCTIONS.filter(({ word }) => !known.includes(word))).toEqual([]);
    expect(INSTRUCTIONS[0]?.word).toBe('FROM');
  });

  it('builds in a stage of its own, on bases whose version and system are named', () => {
    expect(STAGES).toHaveLength(2);
    for (const stage of STAGES)
      expect(of(stage, 'FROM')[0]).toMatch(/^node:\d+\.\d+\.\d+-[a-z]+-slim( AS \w+)?$/);
    const [major] = /\d+/.exec(of(STAGES[0], 'FROM')[0] ?? '') ?? [];
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(Number(major)).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
  });

  it('runs as a user without rights, who owns nothing of the program', () => {
    const last = STAGES.at(-1) ?? [];
    const user = last.findLastIndex(({ word }) => word === 'USER');
    expect(last[user]?.rest).toBe('node');
    expect(last.findIndex(({ word }) => word === 'ENTRYPOINT')).toBeGreaterThan(user);
    expect(of(last, 'COPY').filter((rest) => rest.includes('--chown'))).toEqual([]);
    // By an array: signals reach the program, not a shell.
    for (const word of ['ENTRYPOINT', 'CMD'])
      expect(of(last, word).every((rest) => rest.startsWith('['))).toBe(true);
  });

  it('copies what there is, and of the first stage only what it has', () => {
    for (const rest of STAGES.flatMap((stage) => of(stage, 'COPY'))) {
      const words = rest.split(/\s+/).filter((word) => !word.startsWith('--'));
      for (const source of words.slice(0, -1)) {
        const path = source.replace(/^\/build\//, '');
        expect([path, BUILT.includes(path) || existsSync(new URL(path, root))]).toEqual([path, true]);
      }
    }
  });

  it('holds no secrets, and sends none to the engine', () => {
    const text = INSTRUCTIONS.map(({ rest }) => rest).join('\n');
    expect(text).not.toMatch(/password|secret|api[_-]?key|BEGIN [A-Z ]*PRIVATE|:\/\/[^/\s]+@/i);
    expect(text).not.toMatch(/\b(ADD|curl|wget)\b/);
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(
      expect.arrayContaining(['.git', '**/node_modules', 'secrets', '**/*.pem', '**/*.key']),
    );
  });

  it('starts the program that the package has', () => {
    const entry = JSON.parse(of(STAGES.at(-1), 'ENTRYPOINT')[0] ?? '[]') as string[];
    const { bin } = JSON.parse(read('package.json')) as { bin: { bedside: string } };
    expect(entry).toEqual(['node', `/opt/bedside/${bin.bedside}`]);
  });
});

describe('compose.yaml', () => {
  const text = read('compose.yaml');

  it('gives the gateway no rights and nothing to write but its state', () => {
    for (const line of ['read_only: true', 'cap_drop: [ALL]', 'no-new-privileges:true', ':/srv/bundle:ro']) {
      expect(text).toContain(line);
    }
    expect(text).not.toMatch(/privileged|network_mode|\/var\/run\/docker|user: *["']?(0|root)/);
  });

  it('hands over each secret as a file, and declares it', () => {
    const used = (/secrets: \[(.*)\]/.exec(text)?.[1] ?? '').split(', ');
    const declared = [...text.slice(text.indexOf('\nsecrets:')).matchAll(/^ {2}([\w-]+):\n {4}file: /gm)];
    expect(declared.map(([, name]) => name)).toEqual(used);
    const asked = [...text.matchAll(/\/run\/secrets\/([\w-]+)/g)].map(([, name]) => name);
    expect(asked.sort()).toEqual([...used].sort());
    expect(text).not.toMatch(/environment:.*(TOKEN|PASSWORD|KEY)=/s);
  });

  it('names options that bedside serve has', async () => {
    const options = readFileSync(fileURLToPath(new URL('src/cli/commands/serve/options.ts', root)), 'utf8');
    const command = text.slice(text.indexOf('command:'), text.indexOf('environment:'));
    const named = command.match(/--[a-z-]+/g) ?? [];
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !options.includes(`'${name}`))).toEqual([]);
  });
});
