// Who looks.
import type { SessionInfo } from '../../../src/gateway/dashboard/wire.ts';
import { get, type Problem, post, problemOf, remove, whenSignedOut } from './api.ts';
import type { PageEntry } from './router.svelte.ts';

class SessionState {
  info = $state.raw<SessionInfo | undefined>();
  problem = $state.raw<Problem | undefined>();
  #away: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    whenSignedOut(() => void this.read());
  }

  /** Asks who looks, until the gateway answers. */
  async read(): Promise<void> {
    clearTimeout(this.#away);
    try {
      this.info = await get<SessionInfo>('/api/session');
      this.problem = undefined;
    } catch (error) {
      this.problem = problemOf(error);
      this.#away = setTimeout(() => void this.read(), 2000);
    }
  }

  /** @throws Problem for a token that is not known */
  async signIn(token: string): Promise<void> {
    this.info = await post<SessionInfo>('/api/session', { token });
  }

  async signOut(): Promise<void> {
    this.info = await remove<SessionInfo>('/api/session');
  }

  /** Whether this role, or a page with it, is open to whoever looks. */
  may(role: PageEntry['role'] | 'infer'): boolean {
    const roles = this.info?.roles ?? [];
    return roles.includes('admin') || roles.includes(role);
  }
}

export const session = new SessionState();
