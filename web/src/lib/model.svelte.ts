// Which of the served models pages show: the same one from page to page.
import { session } from './session.svelte.ts';

class ModelChoice {
  #chosen = $state<string | undefined>();

  /** Names of all served models. */
  get names(): readonly string[] {
    return session.info?.models.map(({ name }) => name) ?? [];
  }

  /** The chosen one, or the first. */
  get name(): string | undefined {
    return this.names.find((name) => name === this.#chosen) ?? this.names[0];
  }

  choose(name: string): void {
    this.#chosen = name;
  }

  /** The address of what a page is told of the model. */
  path(rest: string): string {
    return `/api/models/${encodeURIComponent(this.name ?? '')}/${rest}`;
  }
}

export const model = new ModelChoice();
