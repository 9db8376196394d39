import { fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, it, vi } from 'vitest';
import { authorized } from '../services/authorized';
import { preferencesClient } from '../services/preferences';
import { preferencesStore } from '../store/preferences';
import { plainDevice } from '../testing/device';
import { FakeOrigin, usualAccount } from '../testing/fakeOrigin';
import { problem } from '../testing/http';
import { PreferencesPage } from './PreferencesPage';

const email = 'owner@demo.example';

async function setup(prepare?: (origin: FakeOrigin) => void, who = email) {
  const origin = new FakeOrigin();
  prepare?.(origin);
  const { token } = origin.user(who);
  const ask = authorized(origin.fetch, { token: () => token, renew: () => Promise.resolve(false) });
  const store = preferencesStore(preferencesClient(ask));
  const page = render(<PreferencesPage store={store} device={plainDevice} />);
  const user = userEvent.setup();
  if (prepare === undefined) await screen.findByRole('group', { name: 'E-mail' });
  return { origin, user, store, page };
}

function box(name: string, group: string): HTMLInputElement {
  const fieldset = screen.getByRole('group', { name: group });
  const found = [...fieldset.querySelectorAll('label')].find((label) => label.textContent === name);
  const input = found?.querySelector('input');
  if (!(input instanceof HTMLInputElement)) throw new Error(`no ${name} in ${group}`);
  return input;
}

it('shows what is chosen, and saves what is changed', async () => {
  const { origin, user } = await setup();
  expect(box('Send me e-mail', 'E-mail')).toBeChecked();
  expect(box('Paid orders', 'E-mail')).toBeChecked();
  expect(box('New orders', 'E-mail')).not.toBeChecked();
  await user.click(box('New orders', 'E-mail'));
  await user.click(box('Paid orders', 'On this page'));
  await user.click(box('Keep e-mail back', 'Quiet hours'));
  fireEvent.change(screen.getByLabelText('From'), { target: { value: '21:30' } });
  fireEvent.change(screen.getByLabelText('Time zone'), { target: { value: 'Asia/Jakarta' } });
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved.')).toBeInTheDocument();
  expect(origin.accounts.get(email)).toEqual({
    ...usualAccount(origin.user(email)),
    version: 2,
    notification_email_events: ['order_created', 'order_paid'],
    notification_in_app_events: [],
    time_zone: 'Asia/Jakarta',
    quiet_hours: '21:30-07:00',
  });
  await user.click(box('Keep e-mail back', 'Quiet hours'));
  expect(screen.queryByText('Saved.')).not.toBeInTheDocument();
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved.')).toBeInTheDocument();
  expect(origin.accounts.get(email)).toMatchObject({ version: 3, quiet_hours: '' });
});

it('says which events are not for the user’s role', async () => {
  await setup(undefined, 'kitchen@demo.example');
  expect(screen.getAllByText('(not for your role)')).toHaveLength(2);
  expect(box('Paid orders (not for your role)', 'E-mail')).toBeChecked();
  expect(box('New orders', 'E-mail')).toBeInTheDocument();
});

it('leaves a channel that is off with its events, which cannot be chosen then', async () => {
  const { origin, user } = await setup();
  await user.click(box('Send me e-mail', 'E-mail'));
  expect(box('Paid orders', 'E-mail')).toBeDisabled();
  expect(box('Paid orders', 'E-mail')).toBeChecked();
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved.')).toBeInTheDocument();
  expect(origin.accounts.get(email)).toMatchObject({
    notification_email_enabled: false,
    notification_email_events: ['order_paid'],
  });
});

it('shows what was changed elsewhere rather than overwrite it', async () => {
  const { origin, user } = await setup();
  origin.accounts.set(email, {
    ...usualAccount(origin.user(email)),
    version: 7,
    notification_email_enabled: false,
  });
  await user.click(box('New orders', 'On this page'));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText(/changed elsewhere/)).toBeInTheDocument();
  expect(box('Send me e-mail', 'E-mail')).not.toBeChecked();
  expect(box('New orders', 'On this page')).not.toBeChecked();
  expect(origin.accounts.get(email)).toMatchObject({ version: 7 });
  await user.click(box('New orders', 'On this page'));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByText('Saved.')).toBeInTheDocument();
});

it('says what is wrong, and keeps what was typed', async () => {
  const { origin, user } = await setup();
  origin.answerOnce('/api/me/preferences', problem(422, 'quiet_hours are not two different times'));
  await user.click(box('Keep e-mail back', 'Quiet hours'));
  await user.click(screen.getByRole('button', { name: 'Save' }));
  expect(await screen.findByRole('alert')).toHaveTextContent('quiet_hours are not two different times');
  expect(screen.getByLabelText('To')).toHaveValue('07:00');
});

it('forgets what was not saved as soon as one comes back, and not under one’s fingers', async () => {
  const { user, store, page } = await setup();
  await user.click(box('New orders', 'E-mail'));
  page.unmount();
  const loaded = store.load(); // as the page does when it is shown
  expect(store.getSnapshot()).toEqual({ kind: 'loading' });
  await loaded;
  render(<PreferencesPage store={store} device={plainDevice} />);
  await screen.findByRole('group', { name: 'E-mail' });
  expect(box('New orders', 'E-mail')).not.toBeChecked();
});

it('says that they could not be loaded, and tries again', async () => {
  const { user } = await setup((origin) => origin.answerOnce('/api/me', new TypeError('down')));
  expect(await screen.findByRole('alert')).toHaveTextContent('The server could not be reached.');
  await user.click(screen.getByRole('button', { name: 'Try again' }));
  expect(await screen.findByRole('group', { name: 'E-mail' })).toBeInTheDocument();
});

it('keeps a time zone that this browser does not know', async () => {
  const unknown = 'Antarctica/Troll';
  const known = Intl.DateTimeFormat;
  vi.stubGlobal('Intl', {
    ...Object.fromEntries(
      Object.getOwnPropertyNames(Intl)
        .filter((name) => name !== 'supportedValuesOf') // as before 2022
        .map((name) => [name, Intl[name as keyof typeof Intl]]),
    ),
    DateTimeFormat: function format(tag: string, options?: Intl.DateTimeFormatOptions) {
      if (options?.timeZone === unknown) throw new RangeError(`Invalid time zone specified: ${unknown}`);
      return new known(tag, options);
    },
  });
  try {
    const { origin, user } = await setup((made) => {
      made.accounts.set(email, { ...usualAccount(made.user(email)), time_zone: unknown });
    });
    expect(await screen.findByLabelText('Time zone')).toHaveValue(unknown);
    await user.click(box('New orders', 'E-mail'));
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByText('Saved.')).toBeInTheDocument();
    expect(origin.accounts.get(email)).toMatchObject({ version: 2, time_zone: unknown });
  } finally {
    vi.unstubAllGlobals();
  }
});
