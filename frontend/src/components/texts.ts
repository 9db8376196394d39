import { isolated, type Key, t } from '../i18n/words';
import type { Notification } from '../model/frame';
import { formatMoney } from '../model/money';
import { orderName, type Role, type Status } from '../model/order';

export function statusText(status: Status): string {
  return t(`status.${status}`);
}

export function rolesText(roles: readonly Role[]): string {
  return roles.map((role) => t(`role.${role}`)).join(', ');
}

/** A notification's text and its values, for <Say>. */
export function notificationKey({ type, order }: Notification): Key {
  switch (type) {
    case 'order_created':
      return 'notification.created';
    case 'order_paid':
      return 'notification.paid';
    case 'order_status_updated':
      return `notification.${order.status}`;
  }
}

/** A notification as one sentence. */
export function notificationText(notification: Notification): string {
  const { order } = notification;
  return t(notificationKey(notification), {
    name: isolated(orderName(order)),
    amount: formatMoney(order.totalAmount, order.currency),
  });
}
