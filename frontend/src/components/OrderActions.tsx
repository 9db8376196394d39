import { useState } from 'react';
import { nextStatuses, type Order, type Role, type Status } from '../model/order';
import { messageOf } from '../services/problem';

export interface OrderActionsProps {
  readonly order: Order;
  readonly name: string;
  readonly roles: readonly Role[];
  readonly advance: (orderId: string, status: Status) => Promise<Order>;
}

type Acting =
  | { readonly kind: 'idle' }
  /** A second press is wanted, for what cannot be undone. */
  | { readonly kind: 'confirming'; readonly status: Status }
  | { readonly kind: 'working'; readonly status: Status }
  | { readonly kind: 'failed'; readonly message: string };

const labels: Readonly<Record<Status, string>> = {
  submitted: 'Submit',
  paid: 'Take payment',
  preparing: 'Start preparing',
  ready: 'Mark ready',
  completed: 'Complete',
  cancelled: 'Cancel order',
  refunded: 'Refund',
};

/** The order's next states as buttons, for the person's roles. */
export function OrderActions({ order, name, roles, advance }: OrderActionsProps) {
  const [acting, setActing] = useState<Acting>({ kind: 'idle' });
  const next = nextStatuses(order.status, roles);
  const isWorking = acting.kind === 'working';

  async function act(status: Status, card: HTMLElement | null): Promise<void> {
    if (isWorking) return;
    if (acting.kind === 'confirming') card?.focus({ preventScroll: true }); // the confirming button goes at once
    setActing({ kind: 'working', status });
    try {
      await advance(order.orderId, status);
      setActing({ kind: 'idle' });
      card?.focus({ preventScroll: true }); // the pressed button goes with its state
    } catch (err) {
      setActing({ kind: 'failed', message: messageOf(err) });
    }
  }

  function press(status: Status, button: HTMLElement): void {
    if (isFinal(status) && acting.kind !== 'confirming') setActing({ kind: 'confirming', status });
    else void act(status, button.closest('article'));
  }

  if (acting.kind === 'confirming' && next.includes(acting.status)) {
    const { status } = acting;
    return (
      <fieldset className="actions">
        <legend className="confirm-text">{labels[status]}? This cannot be undone.</legend>
        <button
          type="button"
          className="button button-danger"
          // biome-ignore lint/a11y/noAutofocus: the pressed button became this one
          autoFocus={true}
          onClick={(event) => press(status, event.currentTarget)}
        >
          Yes, {labels[status].toLowerCase()} <span className="hidden">{name}</span>
        </button>
        <button type="button" className="button" onClick={() => setActing({ kind: 'idle' })}>
          Keep it
        </button>
      </fieldset>
    );
  }

  return (
    <div className="actions">
      {next.map((status, i) => (
        <button
          key={`${order.status} ${status}`} // a new button after each change: a second tap must not hit the next step
          type="button"
          className={buttonClass(status, i)}
          aria-disabled={isWorking}
          onClick={(event) => press(status, event.currentTarget)}
        >
          {isWorking && acting.status === status ? 'One moment…' : labels[status]}{' '}
          <span className="hidden">{name}</span>
        </button>
      ))}
      {acting.kind === 'failed' && (
        <p className="field-problem" role="alert">
          {acting.message}
        </p>
      )}
    </div>
  );
}

function isFinal(status: Status): boolean {
  return status === 'cancelled' || status === 'refunded';
}

function buttonClass(status: Status, place: number): string {
  if (place === 0 && !isFinal(status)) return 'button button-primary action-main';
  return isFinal(status) ? 'button button-quiet action-final' : 'button button-quiet';
}
