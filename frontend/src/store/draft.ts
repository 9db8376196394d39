/**
 * The order that is being typed at this till: kept in the tab's storage, so that neither a reload nor the end of a token
 * loses it. Its Idempotency-Key is kept with it: a try whose answer was lost before the reload cannot sell twice.
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
  /** The key of this order: the same for every try of the same order until one succeeds, another for another order. */
  keyFor(order: NewOrder): string;
  /** The order is made: the next one has another key. */
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
      // A full or forbidden storage: the draft lives as long as the page.
    }
  }
}
