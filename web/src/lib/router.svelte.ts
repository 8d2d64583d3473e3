// Which page is open: a path of our own for each, so that going back, reloading and bookmarks work.
import type { PageName } from '../../../src/gateway/dashboard/wire.ts';

/** A page of the dashboard. */
export interface PageEntry {
  readonly name: PageName;
  readonly title: string;
  /** The role that its figures need. */
  readonly role: 'metrics' | 'explain' | 'admin';
}

export const PAGES: readonly PageEntry[] = [
  { name: 'ward', title: 'Ward', role: 'metrics' },
  { name: 'requests', title: 'Requests', role: 'metrics' },
  { name: 'pruning', title: 'Pruning', role: 'metrics' },
  { name: 'explain', title: 'Explain', role: 'explain' },
  { name: 'policy', title: 'Policy', role: 'metrics' },
  { name: 'audit', title: 'Audit', role: 'admin' },
];

class Router {
  #path = $state(location.pathname);

  constructor() {
    addEventListener('popstate', () => {
      this.#path = location.pathname;
    });
  }

  /** The open page; the first one where the path names none. */
  get page(): PageEntry {
    const [name] = this.#parts;
    return PAGES.find((page) => page.name === name) ?? (PAGES[0] as PageEntry);
  }

  /** What follows the page in the path, such as the number of a request. */
  get rest(): string | undefined {
    return this.#parts[1];
  }

  /** Opens a page. */
  go(name: PageName, rest?: string | number): void {
    const path = rest === undefined ? `/${name}` : `/${name}/${rest}`;
    if (path === location.pathname) return;
    history.pushState(undefined, '', path);
    this.#path = path;
  }

  /** For links: opens a page here, unless another tab was asked for. */
  follow(event: MouseEvent, name: PageName, rest?: string | number): void {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    this.go(name, rest);
  }

  get #parts(): string[] {
    return this.#path.split('/').filter((part) => part !== '');
  }
}

export const router = new Router();
