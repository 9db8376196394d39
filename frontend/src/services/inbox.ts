/** The client of everybody's own inbox. */
import { parseReading, type Reading } from '../model/frame';
import { type InboxPage, parseInboxPage } from '../model/inbox';
import { type Ask, sending } from './authorized';
import { readJSON } from './problem';

export interface InboxClient {
  /** From the newest on, or behind a page's cursor. */
  page(cursor: string, signal: AbortSignal): Promise<InboxPage>;
  readAll(): Promise<Reading>;
}

const address = '/api/notifications';

export function inboxClient(ask: Ask): InboxClient {
  return {
    async page(cursor, signal) {
      const query = new URLSearchParams({ limit: '50', ...(cursor === '' ? {} : { cursor }) });
      return parseInboxPage(await readJSON(await ask(`${address}?${query.toString()}`, { signal })));
    },
    async readAll() {
      return parseReading(await readJSON(await ask(`${address}/read-all`, sending('POST'))), 'answer');
    },
  };
}
