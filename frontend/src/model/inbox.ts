/** A user's notifications. */
import { type Notification, parseNotification } from './frame';
import { fields, integer, list, optionalText } from './wire';

export interface InboxNotification extends Notification {
  readonly read: boolean;
}

export interface InboxPage {
  /** Newest first. */
  readonly notifications: readonly InboxNotification[];
  /** Of all, on this page or not. */
  readonly unread: number;
  /** "" on the last page. */
  readonly nextCursor: string;
}

export function parseInboxPage(value: unknown): InboxPage {
  const of = fields(value, 'inbox');
  return {
    notifications: list(of['notifications'], 'inbox.notifications', parseInboxNotification),
    unread: integer(of, 'unread', 'inbox', 0),
    nextCursor: optionalText(of, 'next_cursor', 'inbox'),
  };
}

function parseInboxNotification(value: unknown, where: string): InboxNotification {
  return {
    ...parseNotification(value, where),
    read: optionalText(fields(value, where), 'read_at', where) !== '',
  };
}
