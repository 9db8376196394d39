/** A user's notifications. */
import { type Notification, parseNotification } from './frame';
import { fields, integer, list, optionalText } from './wire';

export interface Notice extends Notification {
  readonly read: boolean;
}

export interface InboxPage {
  /** Newest first. */
  readonly notices: readonly Notice[];
  /** Of all, on this page or not. */
  readonly unread: number;
  /** "" on the last page. */
  readonly nextCursor: string;
}

export function parseInboxPage(value: unknown): InboxPage {
  const of = fields(value, 'inbox');
  return {
    notices: list(of['notifications'], 'inbox.notifications', parseNotice),
    unread: integer(of, 'unread', 'inbox', 0),
    nextCursor: optionalText(of, 'next_cursor', 'inbox'),
  };
}

function parseNotice(value: unknown, where: string): Notice {
  return {
    ...parseNotification(value, where),
    read: optionalText(fields(value, where), 'read_at', where) !== '',
  };
}
