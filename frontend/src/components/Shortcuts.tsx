import { lazy, useEffect, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { type Shortcut, type ShortcutStore, shortcutOf } from '../store/shortcuts';
import { Later } from './Later';

const ShortcutDialog = lazy(async () => ({ default: (await import('./ShortcutDialog')).ShortcutDialog }));

export interface ShortcutsProps {
  readonly store: ShortcutStore;
  /** Goes to the list of orders. */
  readonly onOrders: () => void;
  /** Whether the dialog is open, which the account menu opens too. */
  readonly isOpen: boolean;
  readonly onOpen: (isOpen: boolean) => void;
}

/** The shortcuts of the page. When they are switched off, the list of shortcuts can still be opened from the menu. */
export function Shortcuts({ store, onOrders, isOpen, onOpen }: ShortcutsProps) {
  const areUsed = useStore(store);
  const [wanted, setWanted] = useState<Shortcut>();

  useEffect(() => {
    if (!areUsed) return;
    const press = (event: KeyboardEvent) => {
      const shortcut = shortcutOf(event);
      if (shortcut === undefined) return;
      event.preventDefault(); // the key is not typed where the focus goes
      if (shortcut === 'help') onOpen(true);
      else if (shortcut === 'bell') document.querySelector<HTMLElement>('[data-shortcut="bell"]')?.click();
      else if (!focusOn(shortcut)) {
        onOrders();
        setWanted(shortcut);
      }
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, [areUsed, onOrders, onOpen]);

  // By now the list is rendered, if the shortcut had to open it first.
  useEffect(() => {
    if (wanted === undefined) return;
    focusOn(wanted);
    setWanted(undefined);
  }, [wanted]);

  return isOpen ? (
    <Later>
      <ShortcutDialog store={store} onClose={() => onOpen(false)} />
    </Later>
  ) : null;
}

/** Whether the target of the shortcut is on the page. */
function focusOn(shortcut: Shortcut): boolean {
  const places: Partial<Record<Shortcut, string>> = {
    find: '#orders input[type="search"]',
    new: '[data-shortcut="new"]',
    orders: '#orders',
  };
  const element = document.querySelector<HTMLElement>(places[shortcut] ?? '');
  element?.focus();
  return element !== null;
}
