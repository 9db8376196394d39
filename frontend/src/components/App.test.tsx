import { cleanup, render, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it } from 'vitest';
import { keepIn } from '../services/session';
import { type Client, openClient } from '../store/client';
import { clock } from '../store/clock';
import { demoUsersStore } from '../store/demoUsers';
import { place } from '../store/place';
import { plainDevice } from '../testing/device';
import { FakeOrigin } from '../testing/fakeOrigin';
import { json, problem } from '../testing/http';
import { App } from './App';

let client: Client | undefined;

afterEach(() => {
  client?.close();
  sessionStorage.clear();
  location.hash = '';
});

function setup(prepare?: (origin: FakeOrigin) => void) {
  const origin = new FakeOrigin({ pageSize: 500 });
  prepare?.(origin);
  client = openClient({ fetch: origin.fetch, keeper: keepIn(sessionStorage), origin: location.origin });
  render(
    <App
      client={client}
      demoUsers={demoUsersStore(origin.fetch)}
      clock={clock(() => Date.parse('2026-11-24T11:00:00Z'))}
      place={place(window)}
      device={plainDevice}
    />,
  );
  return { origin, user: userEvent.setup() };
}

async function signedIn(role: string, prepare?: (origin: FakeOrigin) => void) {
  const { origin, user } = setup(prepare);
  await user.click(
    await screen.findByRole('button', { name: `${role} of Demo Deli ${role} ${role}@demo.example` }),
  );
  await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Live'));
  return { origin, user };
}

function card(name: string): HTMLElement {
  return screen.getByRole('article', { name });
}

describe('the preferences', () => {
  it('are where mails link to, also for who has to sign in first', async () => {
    location.hash = '#/preferences';
    await signedIn('viewer');
    expect(await screen.findByRole('heading', { name: 'Preferences' })).toBeInTheDocument();
    expect(screen.getByText('To viewer@demo.example.')).toBeInTheDocument();
    location.hash = '#/';
    expect(await screen.findByRole('main')).toHaveClass('page');
    await waitFor(() =>
      expect(screen.queryByRole('heading', { name: 'Preferences' })).not.toBeInTheDocument(),
    );
  });
});

describe('signing in', () => {
  it('offers the demo users by business', async () => {
    setup();
    const kopi = await screen.findByRole('region', { name: 'Kopi Senja' });
    expect(within(kopi).getAllByRole('button')).toHaveLength(1);
    expect(within(screen.getByRole('region', { name: 'Demo Deli' })).getAllByRole('button')).toHaveLength(4);
  });

  it('takes a token in development alone', async () => {
    const { user } = setup((origin) => origin.answerOnce('/dev/users', problem(404, 'not here')));
    await waitFor(() => expect(screen.queryByRole('status')).not.toBeInTheDocument());
    expect(screen.queryByText('Sign in with an access token')).not.toBeInTheDocument();
    cleanup();
    render(
      <App
        client={client as Client}
        demoUsers={demoUsersStore(new FakeOrigin().fetch)}
        clock={clock()}
        place={place(window)}
        device={plainDevice}
      />,
    );
    await user.click(await screen.findByText('Sign in with an access token'));
    const field = await screen.findByRole('textbox', { name: 'Access token' });
    await user.type(field, 'nonsense');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    expect(screen.getByRole('alert')).toHaveTextContent(
      'This is not a token: want three parts between dots.',
    );
    const claims = btoa(JSON.stringify({ sub: 'u', tenant_id: 'kopi', roles: ['viewer'] }));
    await user.clear(field);
    await user.type(field, `e30.${claims}.c2ln`);
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    // The server knows no such token, and there is no way to renew it.
    expect(await screen.findByText('Your session has ended. Please sign in again.')).toBeInTheDocument();
  });

  it('says why the users could not be had, and tries again', async () => {
    const { user } = setup((origin) => origin.answerOnce('/dev/users', new TypeError('down')));
    expect(await screen.findByRole('alert')).toHaveTextContent('The server could not be reached.');
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('region', { name: 'Demo Deli' })).toBeInTheDocument();
  });

  it('switches to another business, and out', async () => {
    const { origin, user } = await signedIn('owner', (o) => {
      o.create('demo', 'A-1');
      o.create('kopi', 'K-1');
    });
    expect(card('A-1')).toBeInTheDocument();
    // jsdom opens no popover, so its content stays hidden.
    await user.click(screen.getByRole('button', { name: 'owner of Kopi Senja owner', hidden: true }));
    expect(await screen.findByRole('article', { name: 'K-1' })).toBeInTheDocument();
    expect(screen.queryByRole('article', { name: 'A-1' })).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Sign out', hidden: true }));
    expect(await screen.findByRole('heading', { name: 'Orderbell' })).toBeInTheDocument();
    await waitFor(() => expect(origin.streams.size).toBe(0));
  });
});

describe('the list', () => {
  it('shows what others do, as it happens', async () => {
    const { origin } = await signedIn('viewer');
    expect(await screen.findByText('No open orders. New orders appear here.')).toBeInTheDocument();
    const { order_id: id } = origin.create('demo', 'A-7', 1250);
    expect(await screen.findByRole('article', { name: 'A-7' })).toHaveTextContent('€12.50');
    expect(within(card('A-7')).queryByRole('button')).not.toBeInTheDocument();
    origin.advance(id, 'paid');
    await waitFor(() => expect(card('A-7')).toHaveAttribute('data-status', 'paid'));
    origin.advance(id, 'completed');
    await waitFor(() => expect(screen.queryByRole('article', { name: 'A-7' })).not.toBeInTheDocument());
  });

  it('filters by what is left to do and by reference', async () => {
    const { user } = await signedIn('owner', (origin) => {
      origin.create('demo', 'A-1');
      origin.create('demo', 'A-2');
      origin.advance(origin.create('demo', 'B-1').order_id, 'cancelled');
    });
    expect(screen.getAllByTestId('order')).toHaveLength(2);
    await user.click(screen.getByRole('radio', { name: 'Done 1' }));
    expect(screen.getAllByTestId('order')).toHaveLength(1);
    await user.click(screen.getByRole('radio', { name: 'All 3' }));
    await user.type(screen.getByRole('searchbox'), 'a-');
    await waitFor(() => expect(screen.getAllByTestId('order')).toHaveLength(2));
    await user.type(screen.getByRole('searchbox'), 'x');
    expect(await screen.findByText('No order matches.')).toBeInTheDocument();
  });

  it('draws the orders in sight, newest first', async () => {
    await signedIn('viewer', (origin) => {
      for (let i = 0; i < 250; i += 1) origin.create('demo', `N-${String(i)}`);
    });
    expect(await screen.findByText('250 orders')).toBeInTheDocument();
    expect(screen.getAllByTestId('order')[0]).toHaveTextContent('N-249');
    expect(screen.getAllByTestId('order').length).toBeLessThan(30);
  });

  it('says that it may be out of date while the stream is cut', async () => {
    const { origin, user } = await signedIn('owner', (o) => void o.create('demo', 'A-1'));
    origin.answerOnce('/api/sse/notifications', new TypeError('down'));
    origin.endStreams('cut');
    expect(await screen.findByTestId('stale')).toHaveTextContent('The live connection was lost.');
    expect(screen.getByTestId('connection')).toHaveTextContent(/^Not live since \d/);
    origin.create('demo', 'A-2');
    await user.click(screen.getByRole('button', { name: 'Retry now' }));
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Live'));
    expect(card('A-2')).toBeInTheDocument();
    await waitFor(() =>
      expect(screen.getByTestId('caught-up')).toHaveTextContent('one order was new or changed'),
    );
  });

  it('is there, and can be worked with, while the gateway is away', async () => {
    const { user } = setup((o) => {
      o.create('demo', 'A-1');
      for (let i = 0; i < 20; i += 1) o.answerOnce('/api/sse/notifications', new TypeError('down'));
    });
    await user.click(await screen.findByRole('button', { name: /^cashier of Demo/ }));
    await user.click(await screen.findByRole('button', { name: 'Take payment A-1' }));
    await waitFor(() => expect(card('A-1')).toHaveAttribute('data-status', 'paid'));
    expect(screen.getByTestId('connection')).toHaveTextContent('Not live');
  });

  it('moves nothing while somebody works in it: a gap stays, and new orders wait', async () => {
    const { origin, user } = await signedIn('owner', (o) => {
      for (const reference of ['A-1', 'A-2', 'A-3']) o.create('demo', reference);
    });
    const ids = [...origin.orders.keys()];
    await user.pointer({ target: card('A-2') });
    origin.advance(ids[1] ?? '', 'cancelled');
    origin.create('demo', 'A-4');
    expect(await screen.findByTestId('gap')).toHaveTextContent('A-2: Cancelled');
    expect(screen.getAllByTestId('order').map((o) => o.querySelector('h3')?.textContent)).toEqual([
      'A-3',
      'A-1',
    ]);
    await user.click(await screen.findByRole('button', { name: 'Show 1 new order' }));
    await waitFor(() => expect(card('A-4')).toBeInTheDocument());
    expect(screen.queryByTestId('gap')).not.toBeInTheDocument();
  });
});

describe('the list of some days', () => {
  it('says that it uses UTC where the browser does not know the business’s time zone', async () => {
    const time_zone = 'Mars/Olympus_Mons';
    const demo = { tenant_id: 'demo', name: 'Demo Deli', locale: 'en', currency: 'EUR', version: 1 };
    location.hash = '#/?from=2026-11-24';
    await signedIn('viewer', (o) => o.answerOnce('/api/tenant', json(200, { ...demo, time_zone })));
    expect(await screen.findByRole('note')).toHaveTextContent(`${time_zone}. The page uses the days of UTC.`);
  });
});

describe('a tap that hit the wrong order', () => {
  // The event comes before the answer here; without the stream there is the answer alone.
  it.each(['with', 'without'])('leaves a gap with Undo, %s the stream', async (stream) => {
    const { origin, user } = await signedIn('cashier', (o) => {
      for (const reference of ['A-1', 'A-2']) o.create('demo', reference);
    });
    if (stream === 'without') origin.endStreams('end');
    await user.click(screen.getByRole('button', { name: 'Cancel order A-2' }));
    await user.click(await screen.findByRole('button', { name: /^Cancel A-2/ }));
    const gap = await screen.findByTestId('gap');
    const undo = await within(gap).findByRole('button', { name: 'Undo A-2' });
    await user.click(undo);
    await waitFor(() => expect(card('A-2')).toHaveAttribute('data-status', 'submitted'));
    expect(screen.queryByTestId('gap')).not.toBeInTheDocument();
    const request = origin.requests.find((r) => r.path.endsWith('/undo'));
    expect(JSON.parse(request?.body ?? '')).toEqual({ version: 2 });
  });

  it.each(['cards', 'compact', 'table', 'page'])('is undone where the order still is: %s', async (where) => {
    const { origin, user } = await signedIn('cashier', (o) => {
      o.advance(o.create('demo', 'A-1').order_id, 'paid');
      location.hash = where === 'page' ? `#/orders/${[...o.orders.keys()][0] ?? ''}` : `#/?view=${where}`;
    });
    await user.click(await screen.findByRole('button', { name: 'Start preparing A-1' }));
    const undo = await screen.findByRole('button', { name: 'Undo A-1' });
    expect(screen.queryByTestId('gap')).not.toBeInTheDocument();
    const path = `/api/orders/${[...origin.orders.keys()][0] ?? ''}/undo`;
    origin.answerOnce(path, problem(409, 'the time for it is over'));
    await user.click(undo);
    expect(await screen.findByText('the time for it is over')).toBeInTheDocument();
    await user.click(undo);
    expect(await screen.findByRole('button', { name: 'Start preparing A-1' })).toBeInTheDocument();
    expect(screen.queryByText('the time for it is over')).not.toBeInTheDocument();
    expect(screen.queryByRole('button', { name: 'Undo A-1' })).not.toBeInTheDocument();
    const request = origin.requests.findLast((r) => r.path.endsWith('/undo'));
    expect(JSON.parse(request?.body ?? '')).toEqual({ version: 3 });
  });

  it('is undone in the list after the order’s page was left', async () => {
    const { origin, user } = await signedIn('cashier', (o) => {
      location.hash = `#/orders/${o.create('demo', 'A-1').order_id}`;
    });
    await user.click(await screen.findByRole('button', { name: 'Cancel order A-1' }));
    await user.click(await screen.findByRole('button', { name: /^Cancel A-1/ }));
    expect(await screen.findByRole('button', { name: 'Undo A-1' })).toBeInTheDocument();
    await user.click(screen.getByRole('link', { name: 'Back to the orders' }));
    const gap = await screen.findByTestId('gap');
    await user.click(within(gap).getByRole('button', { name: 'Undo A-1' }));
    await waitFor(() => expect(card('A-1')).toHaveAttribute('data-status', 'submitted'));
    expect([...origin.orders.values()][0]?.status).toBe('submitted');
  });

  it.each(['list', 'page'])('was a colleague’s, so that the %s has no Undo', async (where) => {
    const { origin } = await signedIn('cashier', (o) => {
      const { order_id: id } = o.create('demo', 'A-1');
      location.hash = where === 'page' ? `#/orders/${id}` : '';
    });
    const id = [...origin.orders.keys()][0] ?? '';
    origin.advance(id, 'paid');
    origin.advance(id, 'preparing');
    await waitFor(() => expect(document.querySelector('article')?.dataset['status']).toBe('preparing'));
    expect(screen.queryByRole('button', { name: 'Undo A-1' })).not.toBeInTheDocument();
  });

  it('has no Undo in the gap of a colleague’s change', async () => {
    const { origin, user } = await signedIn('cashier', (o) => void o.create('demo', 'A-1'));
    await user.pointer({ target: card('A-1') });
    origin.advance([...origin.orders.keys()][0] ?? '', 'cancelled');
    const gap = await screen.findByTestId('gap');
    expect(within(gap).queryByRole('button')).not.toBeInTheDocument();
  });
});

describe('an order', () => {
  it('is taken along by the buttons of the user’s roles', async () => {
    const { user } = await signedIn('cashier', (o) => void o.create('demo', 'A-1'));
    await user.click(screen.getByRole('button', { name: 'Take payment A-1' }));
    await waitFor(() => expect(card('A-1')).toHaveAttribute('data-status', 'paid'));
    expect(card('A-1')).toHaveFocus();
    await user.click(screen.getByRole('button', { name: 'Start preparing A-1' }));
    expect(await screen.findByRole('button', { name: 'Mark ready A-1' })).toBeInTheDocument();
  });

  it('is no kitchen’s to be paid', async () => {
    await signedIn('kitchen', (o) => void o.create('demo', 'A-1'));
    expect(within(card('A-1')).queryAllByRole('button')).toEqual([]);
  });

  it('is cancelled by a second press only', async () => {
    const { origin, user } = await signedIn('owner', (o) => void o.create('demo', 'A-1'));
    await user.click(screen.getByRole('button', { name: 'Cancel order A-1' }));
    await user.click(await screen.findByRole('button', { name: 'Keep it' }));
    await user.click(screen.getByRole('button', { name: 'Cancel order A-1' }));
    expect([...origin.orders.values()][0]?.status).toBe('submitted');
    const dialog = await screen.findByRole('alertdialog', { name: 'Cancel order A-1?' });
    expect(dialog).toHaveTextContent('€12.50');
    expect(within(dialog).getByRole('button', { name: 'Keep it' })).toHaveFocus();
    await user.click(within(dialog).getByRole('button', { name: 'Cancel A-1, €12.50' }));
    await waitFor(() => expect([...origin.orders.values()][0]?.status).toBe('cancelled'));
  });

  it('says why a change was refused, and shows what is so', async () => {
    const { origin, user } = await signedIn('owner', (o) => void o.create('demo', 'A-1'));
    const id = [...origin.orders.keys()][0] ?? '';
    origin.answerOnce(`/api/orders/${id}/pay`, problem(409, 'somebody was faster'));
    await user.click(screen.getByRole('button', { name: 'Take payment A-1' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('somebody was faster');
  });
});

describe('notifications', () => {
  it('ring once, count, and lead to their order; only what was tapped is read', async () => {
    const { origin, user } = await signedIn('owner', (o) => {
      for (const reference of ['A-1', 'A-2']) o.create('demo', reference, 1250);
    });
    const ids = [...origin.orders.keys()];
    origin.advance(ids[1] ?? '', 'paid');
    origin.advance(ids[0] ?? '', 'paid');
    origin.redeliver(3);
    const log = screen.getByRole('log', { name: 'New notifications' });
    await waitFor(() => expect(log).toHaveTextContent(/^Order A-1 was paid: €12.50/));
    expect(screen.getByTestId('unread')).toHaveTextContent('2');
    expect(document.title).toBe('(2) Demo Deli · Orderbell');
    expect(screen.getAllByTestId('notification')).toHaveLength(2);
    document
      .getElementById('notifications')
      ?.dispatchEvent(Object.assign(new Event('toggle'), { oldState: 'open', newState: 'closed' }));
    expect(screen.getByTestId('unread')).toHaveTextContent('2');
    await user.click(within(log).getByRole('link'));
    expect(await screen.findByRole('heading', { name: 'A-1', level: 2 })).toBeInTheDocument();
    await waitFor(() => expect(document.title).toBe('(1) Demo Deli · Orderbell'));
  });

  it('do not tell of what was done here', async () => {
    const { user } = await signedIn('owner', (o) => void o.create('demo', 'A-1', 1250));
    await user.click(screen.getByRole('button', { name: 'Take payment A-1' }));
    await waitFor(() => expect(screen.getByTestId('unread')).toHaveTextContent('1'));
    expect(screen.queryByTestId('toast')).not.toBeInTheDocument();
  });
});

describe('the keys', () => {
  it('are listed by ?, lead to what they name, and can be switched off', async () => {
    const { user } = await signedIn('cashier', (o) => void o.create('demo', 'A-1'));
    await user.keyboard('/');
    expect(screen.getByRole('searchbox')).toHaveFocus();
    expect(screen.getByRole('searchbox')).toHaveValue('');
    await user.keyboard('n?'); // text, in a field
    expect(screen.getByRole('searchbox')).toHaveValue('n?');
    await user.clear(screen.getByRole('searchbox'));
    card('A-1').focus();
    await user.keyboard('n');
    expect(screen.getByLabelText('Amount')).toHaveFocus();
    card('A-1').focus();
    await user.keyboard('?');
    const dialog = await screen.findByRole('dialog', { name: 'Keyboard shortcuts' });
    await user.click(within(dialog).getByRole('checkbox', { name: /^Use shortcuts of one key/ }));
    await user.click(within(dialog).getByRole('button', { name: 'Close' }));
    await waitFor(() => expect(dialog).not.toBeInTheDocument());
    card('A-1').focus();
    await user.keyboard('?');
    expect(screen.queryByRole('dialog', { name: 'Keyboard shortcuts' })).not.toBeInTheDocument();
    await user.click(screen.getByRole('button', { name: 'Keyboard shortcuts', hidden: true })); // of the account menu
    const again = await screen.findByRole('dialog', { name: 'Keyboard shortcuts' });
    await user.click(within(again).getByRole('checkbox', { name: /^Use shortcuts of one key/ }));
  });
});
