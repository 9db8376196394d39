import { lazy, Suspense, useState } from 'react';
import { isolated, type Key, t } from '../i18n/words';
import { nextStatuses, type Order, type Role, type Status } from '../model/order';
import { messageOf } from '../services/problem';

const FinalDialog = lazy(async () => ({ default: (await import('./FinalDialog')).FinalDialog }));

export interface OrderActionsProps {
  readonly order: Order;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly advance: (orderId: string, status: Status) => Promise<Order>;
}

type Acting =
  | { readonly kind: 'idle' }
  /** A dialog confirms the action, because it cannot be undone. */
  | { readonly kind: 'confirming'; readonly status: FinalStatus }
  | { readonly kind: 'working'; readonly status: Status }
  | { readonly kind: 'failed'; readonly message: string };

export type FinalStatus = 'cancelled' | 'refunded';

/** The order's next states as buttons, for the user's roles. */
export function OrderActions({ order, name, roles, advance }: OrderActionsProps) {
  const [acting, setActing] = useState<Acting>({ kind: 'idle' });
  const next = nextStatuses(order.status, roles);
  const isWorking = acting.kind === 'working';

  async function act(status: Status, card: HTMLElement | null): Promise<void> {
    if (isWorking) return;
    setActing({ kind: 'working', status });
    try {
      await advance(order.orderId, status);
      setActing({ kind: 'idle' });
      card?.focus({ preventScroll: true }); // the pressed button disappears with the change
    } catch (err) {
      setActing({ kind: 'failed', message: messageOf(err) });
    }
  }

  return (
    <div className="actions">
      {next.map((status, i) => (
        <button
          key={`${order.status} ${status}`} // a new button after each change, so that a second tap cannot trigger the next step
          type="button"
          className={buttonClass(status, i)}
          aria-disabled={isWorking}
          aria-busy={isWorking && acting.status === status} // shown without a different text, whose width would move the neighbours
          onClick={(event) => {
            if (isFinal(status)) setActing({ kind: 'confirming', status });
            else void act(status, event.currentTarget.closest<HTMLElement>('article, tr'));
          }}
        >
          {t(`action.${status}` as Key)} <span className="hidden">{isolated(name)}</span>
        </button>
      ))}
      {acting.kind === 'failed' && (
        <p className="field-problem" role="alert">
          {acting.message}
        </p>
      )}
      {acting.kind === 'confirming' && next.includes(acting.status) && (
        <Suspense>
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
        </Suspense>
      )}
    </div>
  );
}

function isFinal(status: Status): status is FinalStatus {
  return status === 'cancelled' || status === 'refunded';
}

function buttonClass(status: Status, place: number): string {
  if (place === 0 && !isFinal(status)) return 'button settle button-primary action-main';
  return isFinal(status) ? 'button settle button-quiet action-final' : 'button settle button-quiet';
}
