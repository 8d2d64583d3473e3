// Files and folders that systems put beside the data of users; they are passed over without a word.

const SYSTEM = new Set([
  'thumbs.db',
  'ehthumbs.db',
  'desktop.ini',
  '__macosx',
  'icon\r',
  '$recycle.bin',
  '@eadir',
]);

/** Whether a name is hidden (it begins with a dot) or the system's own. */
export function isHidden(name: string): boolean {
  return name.startsWith('.') || SYSTEM.has(name.toLowerCase());
}
