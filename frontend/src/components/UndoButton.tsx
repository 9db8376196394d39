import { useState } from 'react';
import { isolated, t } from '../i18n/words';
import { type Order, orderName } from '../model/order';
import { messageOf } from '../services/problem';

/** The user's own last change of an order, and how it is taken back: the same in its gap, its card, its row and its page. */
export interface UndoProps {
  readonly order: Order;
  readonly canUndo: boolean;
  readonly undo: (order: Order) => Promise<Order>;
}

export type Undoing =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working' }
  | { readonly kind: 'failed'; readonly message: string };

export interface Undo {
  readonly undoing: Undoing;
  /** Says whether the change was taken back. */
  press(): Promise<boolean>;
  /** Another action on the order begins: an earlier refusal is no longer shown. */
  forget(): void;
}

/** How far an undo has come, and what begins it. */
export function useUndo({ order, undo }: Omit<UndoProps, 'canUndo'>): Undo {
  const [undoing, setUndoing] = useState<Undoing>({ kind: 'idle' });
  return { undoing, press, forget: () => setUndoing({ kind: 'idle' }) };

  async function press(): Promise<boolean> {
    if (undoing.kind === 'working') return false;
    setUndoing({ kind: 'working' });
    try {
      await undo(order);
      setUndoing({ kind: 'idle' });
      return true;
    } catch (err) {
      setUndoing({ kind: 'failed', message: messageOf(err) });
      return false;
    }
  }
}

export interface UndoButtonProps {
  readonly order: Order;
  readonly isWorking: boolean;
  readonly onPress: (button: HTMLElement) => void;
}

export function UndoButton({ order, isWorking, onPress }: UndoButtonProps) {
  return (
    <button
      type="button"
      className="button settle"
      aria-label={`${t('undo')} ${isolated(orderName(order))}`}
      aria-disabled={isWorking}
      aria-busy={isWorking}
      onClick={(event) => onPress(event.currentTarget)}
    >
      {t('undo')}
    </button>
  );
}

/** As wide and high as the button, and empty. */
export function UndoRoom() {
  return (
    <span className="button undo-room" aria-hidden="true">
      {t('undo')}
    </span>
  );
}
