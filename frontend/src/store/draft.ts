/**
 * The order that the user is typing. It is in the tab's storage, so that neither a reload nor an expired token loses it. Its
 * Idempotency-Key is stored with it, so that a retry after a lost response cannot create a second order.
 */
import type { NewOrder } from '../services/orders';
import { newIdempotencyKey } from '../services/orders';

export interface Draft {
  readonly amount: string;
  readonly reference: string;
  /** A deliberate choice at this till; "" for the business's currency. */
  readonly currency: string;
}

export interface DraftKeeper {
  load(): Draft;
  save(draft: Draft): void;
  /** The key of this order: the same for every attempt until one succeeds. */
  keyFor(order: NewOrder): string;
  /** The order was created: the next one gets a new key. */
  forgetKey(): void;
}

const empty: Draft = { amount: '', reference: '', currency: '' };

/** Drafts of one user; another user of the same tab has others. */
export function keepDraftIn(storage: Storage, tenantId: string, email: string): DraftKeeper {
  const name = `orderbell.draft ${tenantId} ${email}`;
  return {
    load() {
      const { amount, reference, currency } = read();
      return { amount, reference, currency };
    },
    save(draft) {
      write({ ...read(), ...draft });
    },
    keyFor(order) {
      const content = JSON.stringify(order);
      const kept = read();
      if (kept.key !== '' && kept.content === content) return kept.key;
      const key = newIdempotencyKey();
      write({ ...kept, key, content });
      return key;
    },
    forgetKey() {
      write({ ...read(), key: '', content: '' });
    },
  };

  function read(): Draft & { key: string; content: string } {
    try {
      const kept: unknown = JSON.parse(storage.getItem(name) ?? '{}');
      const of = typeof kept === 'object' && kept !== null ? (kept as Record<string, unknown>) : {};
      const text = (field: string) => (typeof of[field] === 'string' ? of[field] : '');
      return {
        amount: text('amount'),
        reference: text('reference'),
        currency: text('currency'),
        key: text('key'),
        content: text('content'),
      };
    } catch {
      return { ...empty, key: '', content: '' };
    }
  }

  function write(value: Draft & { key: string; content: string }): void {
    try {
      storage.setItem(name, JSON.stringify(value));
    } catch {
      // The storage is full or forbidden: the draft lasts as long as the page.
    }
  }
}
