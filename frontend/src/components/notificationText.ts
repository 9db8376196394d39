import type { Notification } from '../model/frame';
import { formatMoney } from '../model/money';
import { orderName } from '../model/order';

/** A notification as one sentence, for eyes and screen readers alike. */
export function notificationText({ type, order }: Notification): string {
  const name = `Order ${orderName(order)}`;
  const amount = formatMoney(order.totalAmount, order.currency);
  switch (type) {
    case 'order_created':
      return `${name} came in: ${amount}`;
    case 'order_paid':
      return `${name} was paid: ${amount}`;
    case 'order_status_updated':
      return `${name} is now ${order.status}`;
  }
}
