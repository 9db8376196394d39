import { render, screen } from '@testing-library/react';
import { expect, it } from 'vitest';
import type { Order } from '../model/order';
import { OrderActions } from './OrderActions';

const order: Order = {
  ...{ orderId: 'a', tenantId: 'demo', reference: 'A-1', status: 'ready', version: 3 },
  ...{ totalAmount: 1250, currency: 'EUR', createdAt: 0, updatedAt: 0 },
};

function actions(version: number, canUndo: boolean) {
  const never = () => new Promise<Order>(() => undefined);
  return (
    <OrderActions
      order={{ ...order, version }}
      name="A-1"
      roles={['owner']}
      advance={never}
      canUndo={canUndo}
      undo={never}
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
