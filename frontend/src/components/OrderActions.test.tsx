import { render, screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { Order } from '../model/order';
import { OrderActions, type OrderActionsProps } from './OrderActions';

const order: Order = {
  ...{ orderId: 'a', tenantId: 'demo', reference: 'A-1', status: 'ready', version: 3 },
  ...{ totalAmount: 1250, currency: 'EUR', createdAt: 0, updatedAt: 0 },
};

function actions(version: number, canUndo: boolean, more: Partial<OrderActionsProps> = {}) {
  const never = () => new Promise<Order>(() => undefined);
  return (
    <OrderActions
      order={{ ...order, version }}
      name="A-1"
      roles={['owner']}
      advance={never}
      canUndo={canUndo}
      undo={never}
      {...more}
    />
  );
}

it('leaves the room of Undo when its time is over, until the next change', () => {
  const { rerender } = render(actions(3, true));
  const refund = screen.getByRole('button', { name: 'Refund A-1' });
  expect(refund.previousElementSibling).toBe(screen.getByRole('button', { name: 'Undo A-1' }));
  rerender(actions(3, false));
  expect(screen.queryByRole('button', { name: 'Undo A-1' })).not.toBeInTheDocument();
  expect(refund.previousElementSibling).toHaveClass('button', 'undo-room');
  rerender(actions(4, false));
  expect(refund.previousElementSibling).toBe(screen.getByRole('button', { name: 'Complete A-1' }));
});

describe('a button takes no press for a moment', () => {
  const button = (name: string) => screen.getByRole('button', { name });

  it('when it appears, and not when the user scrolls to it', () => {
    const { unmount } = render(actions(3, false));
    expect(button('Complete A-1')).toHaveClass('settle');
    unmount();
    render(actions(3, false, { isScrolling: () => true }));
    expect(button('Complete A-1')).not.toHaveClass('settle');
    expect(button('Refund A-1')).not.toHaveClass('settle');
  });

  it('when the order has changed since the user scrolled to it', () => {
    let isScrolling = true;
    const more = { isScrolling: () => isScrolling };
    const { rerender } = render(actions(3, false, { ...more, order: { ...order, status: 'preparing' } }));
    isScrolling = false;
    const before = button('Complete A-1');
    rerender(actions(4, false, more));
    expect(button('Complete A-1')).not.toBe(before);
    expect(button('Complete A-1')).toHaveClass('settle');
    rerender(actions(5, false, { ...more, order: { ...order, status: 'preparing', version: 5 } }));
    expect(button('Complete A-1'), 'back in the first state').toHaveClass('settle');
  });
});
