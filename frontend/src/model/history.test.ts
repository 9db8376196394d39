import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { outcomes, parseHistory } from './history';
import { parseSummary } from './summary';

const contract = readFileSync(
  new URL('../../../specs/004-order-notifications/contracts/openapi.yaml', import.meta.url),
  'utf8',
);

const told = { user_id: 'u', channel: 'email', outcome: 'deferred', reason: 'quiet hours' };
const change = {
  version: 2,
  status: 'paid',
  changed_at: '2026-11-24T10:05:00Z',
  event_id: 'e',
  actor: { user_id: 'a', name: 'Ana' },
  decided: true,
  told: [told],
  more_told: 3,
};

describe('a history', () => {
  it('is read, with what may be missing', () => {
    const { actor: _, more_told: __, ...bare } = change;
    const { changes, more } = parseHistory({ changes: [change, { ...bare, undone: 'ready' }], more: false });
    expect(more).toBe(false);
    expect(changes[0]).toMatchObject({ actor: { userId: 'a', name: 'Ana' }, moreTold: 3 });
    expect(changes[0]?.told).toEqual([
      { userId: 'u', name: '', channel: 'email', outcome: 'deferred', reason: 'quiet hours' },
    ]);
    expect(changes[1]).toMatchObject({ undone: 'ready', moreTold: 0 });
    expect(changes[1]).not.toHaveProperty('actor');
  });

  it('knows the outcomes of the contract', () => {
    expect(contract).toContain(`enum: [${outcomes.join(', ')}]`);
  });

  it('is refused where it breaks the contract', () => {
    const wrong = { ...change, told: [{ ...told, outcome: 'lost' }] };
    expect(() => parseHistory({ changes: [wrong], more: false })).toThrow(
      /changes\[0\].told\[0\].outcome is "lost", want one of/,
    );
  });
});

describe('a day', () => {
  const day = {
    date: '2026-11-24',
    takings: [{ currency: 'IDR', payments: 2, paid: 3000, refunds: 1, refunded: 1000 }],
    counts: { paid: 2 },
    funnel: { created: 3, paid: 2, ready: 1, completed: 0 },
    hours: Array.from({ length: 24 }, (_, hour) => ({ hour, payments: hour })),
  };

  it('is read; what is not counted is none', () => {
    const { day: is, recent } = parseSummary({ day, before: day, recent: null });
    expect(is.counts).toMatchObject({ paid: 2, refunded: 0 });
    expect(is.hours[23]).toBe(23);
    expect(recent).toBeUndefined();
  });
});
