/** The client of a user's own inbox. */
import { parseReading, type Reading } from '../model/frame';
import { type InboxPage, parseInboxPage } from '../model/inbox';
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

export interface InboxClient {
  /** From the newest on, or after a page's cursor. */
  page(cursor: string, signal: AbortSignal): Promise<InboxPage>;
  /** These were displayed. */
  read(notificationIds: readonly string[]): Promise<Reading>;
  readAll(): Promise<Reading>;
}

export function inboxClient(ask: Ask): InboxClient {
  return {
    async page(cursor, signal) {
      const query = new URLSearchParams({
        limit: '50',
        ...(cursor === '' ? {} : { cursor }),
      });
      return parseInboxPage(
        await readJSON(await ask(`${api.notifications}?${query.toString()}`, { signal })),
      );
    },
    async read(notificationIds) {
      const request = sending('POST', { notification_ids: notificationIds });
      return parseReading(await readJSON(await ask(api.read, request)), 'answer');
    },
    async readAll() {
      return parseReading(await readJSON(await ask(api.readAll, sending('POST'))), 'answer');
    },
  };
}
