// Light or dark: as the system has it, until somebody chooses.
export type Theme = 'system' | 'light' | 'dark';

const KEY = 'bedside-theme';

class ThemeChoice {
  choice = $state<Theme>(stored());
  #systemDark = $state(matchMedia('(prefers-color-scheme: dark)').matches);

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', ({ matches }) => {
      this.#systemDark = matches;
    });
    this.#show();
  }

  /** What is shown. */
  get dark(): boolean {
    return this.choice === 'system' ? this.#systemDark : this.choice === 'dark';
  }

  toggle(): void {
    const next = this.dark ? 'light' : 'dark';
    this.choice = this.#systemDark === (next === 'dark') ? 'system' : next;
    try {
      localStorage.setItem(KEY, this.choice);
    } catch {
      // Kept for this visit only.
    }
    this.#show();
  }

  #show(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.choice;
  }
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}

export const theme = new ThemeChoice();
