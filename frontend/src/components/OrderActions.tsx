import { lazy, useState } from 'react';
import { isolated, type Key, t } from '../i18n/words';
import { nextStatuses, type Order, type Role, type Status } from '../model/order';
import { messageOf } from '../services/problem';
import { Later } from './Later';
import { UndoButton, type UndoProps, UndoRoom, useUndo } from './UndoButton';

const FinalDialog = lazy(async () => ({ default: (await import('./FinalDialog')).FinalDialog }));

export interface OrderActionsProps extends UndoProps {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly advance: (orderId: string, status: Status) => Promise<Order>;
  /** Whether the order comes into the document because the user scrolls. */
  readonly isScrolling?: (() => boolean) | undefined;
}

type Acting =
  | { readonly kind: 'idle' }
  /** A dialog confirms the action, because it cannot be undone. */
  | { readonly kind: 'confirming'; readonly status: FinalStatus }
  | { readonly kind: 'working'; readonly status: Status }
  | { readonly kind: 'failed'; readonly message: string };

export type FinalStatus = 'cancelled' | 'refunded';

/** The order's next states as buttons, for the user's roles, and Undo of the user's own last step. */
export function OrderActions(props: OrderActionsProps) {
  const { order, name, roles, advance, isScrolling, canUndo, undo } = props;
  const [acting, setActing] = useState<Acting>({ kind: 'idle' });
  const settles = useSettles(order.status, isScrolling);
  const { undoing, press, forget } = useUndo({ order, undo });
  const [lastUndoable, setLastUndoable] = useState(0);
  if (canUndo && lastUndoable !== order.version) setLastUndoable(order.version);
  const next = nextStatuses(order.status, roles);
  const isWorking = acting.kind === 'working' || undoing.kind === 'working';
  const failed = [acting, undoing].find((one) => one.kind === 'failed');

  async function act(status: Status, card: HTMLElement | null): Promise<void> {
    if (isWorking) return;
    setActing({ kind: 'working', status });
    forget();
    try {
      await advance(order.orderId, status);
      setActing({ kind: 'idle' });
      card?.focus({ preventScroll: true }); // the pressed button disappears with the change
    } catch (err) {
      setActing({ kind: 'failed', message: messageOf(err) });
    }
  }

  async function takeBack(card: HTMLElement | null): Promise<void> {
    if (isWorking) return;
    setActing({ kind: 'idle' });
    if (await press()) card?.focus({ preventScroll: true });
  }

  const step = (status: Status, place: number) => (
    <button
      key={`${order.status} ${status}`} // another button after each change: a second tap must not hit the next step
      type="button"
      className={buttonClass(status, place) + (settles ? ' settle' : '')}
      aria-label={`${t(`action.${status}` as Key)} ${isolated(name)}`}
      aria-disabled={isWorking}
      aria-busy={acting.kind === 'working' && acting.status === status} // shown without another text, whose width would move the neighbours
      onClick={(event) => {
        if (isFinal(status)) setActing({ kind: 'confirming', status });
        else void act(status, around(event.currentTarget));
      }}
    >
      {t(`action.${status}` as Key)}
    </button>
  );

  return (
    <div className="actions">
      {next.filter((status) => !isFinal(status)).map(step)}
      {canUndo ? (
        <UndoButton
          key={order.version} // as above
          order={order}
          isWorking={undoing.kind === 'working'}
          onPress={(button) => {
            void takeBack(around(button));
          }}
        />
      ) : (
        lastUndoable === order.version && <UndoRoom /> // the end of the undo moves no other button
      )}
      {next.filter(isFinal).map(step)}
      {failed !== undefined && (
        <p className="field-problem" role="alert">
          {failed.message}
        </p>
      )}
      {acting.kind === 'confirming' && next.includes(acting.status) && (
        <Later>
          <FinalDialog
            order={order}
            name={name}
            status={acting.status}
            onKeep={() => setActing({ kind: 'idle' })}
            onConfirm={() => {
              void act(
                acting.status,
                document.querySelector(`[data-order-id="${CSS.escape(order.orderId)}"]`),
              );
            }}
          />
        </Later>
      )}
    </div>
  );
}

/**
 * Whether buttons take no press for a moment after they have appeared. Each that does so costs the page work in every frame of that
 * time, and those that are scrolled in do not appear under a pointer.
 */
function useSettles(status: Status, isScrolling: OrderActionsProps['isScrolling']): boolean {
  const [first] = useState(() => ({ status, settles: isScrolling?.() !== true }));
  const [hasChanged, setChanged] = useState(false);
  if (!hasChanged && status !== first.status) setChanged(true);
  return first.settles || hasChanged;
}

/** The card, row or page that a button belongs to. */
function around(button: HTMLElement): HTMLElement | null {
  return button.closest<HTMLElement>('article, tr');
}

function isFinal(status: Status): status is FinalStatus {
  return status === 'cancelled' || status === 'refunded';
}

function buttonClass(status: Status, place: number): string {
  if (place === 0 && !isFinal(status)) return 'button button-primary action-main';
  return isFinal(status) ? 'button button-quiet action-final' : 'button button-quiet';
}
