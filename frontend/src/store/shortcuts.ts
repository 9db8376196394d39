/** Shortcuts of one key, and whether the user wants them: WCAG 2.1.4 asks for a way to switch them off. */
import { announcer, type Observable } from './observable';

/** What a key does; its text is `keys.` and the name. */
export const shortcuts = { '/': 'find', n: 'new', b: 'bell', o: 'orders', '?': 'help' } as const;
export type Shortcut = (typeof shortcuts)[keyof typeof shortcuts];

const storageKey = 'orderbell.shortcuts';

export interface ShortcutStore extends Observable<boolean> {
  use(are: boolean): void;
}

/** Whether shortcuts are used, kept for this browser. */
export function shortcutStore(storage: Storage): ShortcutStore {
  const { subscribe, announce } = announcer();
  let are = storage.getItem(storageKey) !== 'off';
  return {
    subscribe,
    getSnapshot: () => are,
    use(next) {
      are = next;
      storage.setItem(storageKey, next ? 'on' : 'off');
      announce();
    },
  };
}

/** The shortcut of a pressed key: none while the user types, selects or holds a modifier key. */
export function shortcutOf(event: KeyboardEvent): Shortcut | undefined {
  const { key, ctrlKey, altKey, metaKey, defaultPrevented, target } = event;
  if (defaultPrevented || ctrlKey || altKey || metaKey || isTyping(target)) return undefined;
  return Object.entries(shortcuts).find(([one]) => one === key)?.[1];
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof Element)) return false;
  return (
    target.closest(
      'input:not([type="radio"], [type="checkbox"]), textarea, select, [role="dialog"], [role="alertdialog"]',
    ) !== null
  );
}
