import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, describe, expect, it } from 'vitest';
import type { Order } from '../model/order';
import type { NewOrder as Draft } from '../services/orders';
import { Problem } from '../services/problem';
import { keepDraftIn } from '../store/draft';
import { announcer } from '../store/observable';
import { NewOrder } from './NewOrder';

afterEach(() => sessionStorage.clear());

function setup(...outcomes: (Problem | 'ok')[]) {
  return setupIn('EUR', ...outcomes);
}

function setupIn(currency: string, ...outcomes: (Problem | 'ok')[]) {
  const sent: { draft: Draft; key: string }[] = [];
  async function create(draft: Draft, key: string): Promise<Order> {
    const outcome = outcomes[sent.length] ?? 'ok';
    sent.push({ draft, key });
    await Promise.resolve();
    if (outcome !== 'ok') throw outcome;
    return {
      ...draft,
      orderId: 'o-1',
      tenantId: 'demo',
      status: 'submitted',
      version: 1,
      createdAt: 0,
      updatedAt: 0,
    };
  }
  const draft = keepDraftIn(sessionStorage, 'demo', 'cashier@demo.example');
  const { unmount } = render(<NewOrder create={create} businessCurrency={currency} draft={draft} />);
  const user = userEvent.setup();
  const reload = () => {
    unmount();
    render(<NewOrder create={create} businessCurrency={currency} draft={draft} />);
  };
  return {
    user,
    sent,
    reload,
    press: (): Promise<void> => user.click(screen.getByRole('button', { name: 'Create order' })),
  };
}

it('takes no order without a network, says so, and keeps what was typed', async () => {
  const sent: Draft[] = [];
  const { subscribe, announce } = announcer();
  let isOnline = false;
  render(
    <NewOrder
      create={async (draft) => {
        sent.push(draft);
        throw new Problem(503, 'enough');
      }}
      businessCurrency="EUR"
      draft={keepDraftIn(sessionStorage, 'demo', 'cashier@demo.example')}
      network={{ subscribe, getSnapshot: () => isOnline }}
    />,
  );
  const user = userEvent.setup();
  await user.type(screen.getByLabelText('Amount'), '9.75');
  const button = screen.getByRole('button', { name: 'Create order' });
  expect(button).toHaveAttribute('aria-disabled', 'true');
  expect(screen.getByText(/This device is offline/)).toBeInTheDocument();
  await user.click(button);
  expect(sent).toEqual([]);
  isOnline = true;
  announce();
  await waitFor(() => expect(screen.queryByText(/This device is offline/)).not.toBeInTheDocument());
  expect(screen.getByLabelText('Amount')).toHaveValue('9.75');
  await user.click(button);
  expect(sent).toHaveLength(1);
});

const lost = new Problem(0, 'The server could not be reached.');

describe('the form', () => {
  it('says what is wrong with a reference before it sends anything', async () => {
    const { user, sent, press } = setup();
    await user.type(screen.getByLabelText('Amount'), '12,5');
    const reference = screen.getByLabelText(/Reference/);
    await user.type(reference, 'A\u202e000,521');
    await press();
    expect(reference).toHaveAccessibleDescription(/contains U\+202E.*Remove it/);
    expect(reference).toHaveFocus();
    expect(sent).toEqual([]);
    await user.clear(reference);
    await user.type(reference, 'طاولة 7 👩‍🍳');
    await press();
    await waitFor(() => expect(sent[0]?.draft.reference).toBe('طاولة 7 👩‍🍳'));
  });

  it('sends minor units, says so, and is ready for the next order', async () => {
    const { user, sent, press } = setup();
    await user.type(screen.getByLabelText('Amount'), '12,5');
    expect(screen.getByText('€12.50')).toBeInTheDocument();
    await user.type(screen.getByLabelText(/Reference/), ' A-1 ');
    await press();
    await waitFor(() => expect(screen.getByRole('status')).toHaveTextContent('Order A-1 created.'));
    expect(sent[0]?.draft).toEqual({ reference: 'A-1', totalAmount: 1250, currency: 'EUR' });
    expect(screen.getByLabelText('Amount')).toHaveValue('');
    expect(screen.getByLabelText('Amount')).toHaveFocus();
  });

  it('keeps what it cannot read from the server', async () => {
    const { user, sent, press } = setup();
    await user.type(screen.getByLabelText('Amount'), 'twelve');
    await press();
    expect(screen.getByLabelText('Amount')).toBeInvalid();
    expect(screen.getByLabelText('Amount')).toHaveAccessibleDescription('Enter an amount such as 12.50.');
    expect(sent).toHaveLength(0);
  });

  it('shows the server’s problem at its field', async () => {
    const { user, press } = setup(
      new Problem(422, 'reference is wrong', [
        { field: 'reference', detail: 'contains a control character' },
      ]),
    );
    await user.type(screen.getByLabelText('Amount'), '1');
    await press();
    expect(await screen.findByText('contains a control character')).toBeInTheDocument();
    expect(screen.getByLabelText(/Reference/)).toBeInvalid();
  });
});

describe('a retry', () => {
  it('has the same key, so that a lost answer cannot sell twice', async () => {
    const { user, sent, press } = setup(lost, lost, 'ok', 'ok');
    await user.type(screen.getByLabelText('Amount'), '1');
    await press();
    expect(await screen.findByRole('alert')).toHaveTextContent('The server could not be reached.');
    await press();
    await press();
    await waitFor(() => expect(sent).toHaveLength(3));
    expect(new Set(sent.map((s) => s.key)).size).toBe(1);

    await user.type(screen.getByLabelText('Amount'), '1');
    await press();
    await waitFor(() => expect(sent).toHaveLength(4));
    expect(sent[3]?.key).not.toBe(sent[0]?.key);
  });

  it('of another draft has another key', async () => {
    const { user, sent, press } = setup(lost, 'ok');
    await user.type(screen.getByLabelText('Amount'), '1');
    await press();
    await user.selectOptions(screen.getByLabelText('Currency'), 'USD');
    await press();
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[0]?.key).not.toBe(sent[1]?.key);
  });
});

describe('the amount', () => {
  it('is grouped while it is typed, and the caret stays where it is', async () => {
    const { user } = setupIn('IDR');
    const field = screen.getByLabelText('Amount') as HTMLInputElement;
    await user.type(field, '125000');
    expect(field).toHaveValue('125\u202f000');
    expect(screen.getByText(/^IDR.125,000$/)).toBeInTheDocument();
    await user.type(field, '9', { initialSelectionStart: 2, initialSelectionEnd: 2 });
    expect(field).toHaveValue('1\u202f295\u202f000');
    expect(field.selectionStart).toBe(4);
  });

  it('loses a digit when the space before the caret is deleted', async () => {
    const { user } = setupIn('IDR');
    const field = screen.getByLabelText('Amount');
    await user.type(field, '125000');
    await user.type(field, '{Backspace}', { initialSelectionStart: 4, initialSelectionEnd: 4 });
    expect(field).toHaveValue('12\u202f000');
  });

  it('that could be two amounts is asked for, not guessed', async () => {
    const { user, sent, press } = setupIn('IDR');
    await user.type(screen.getByLabelText('Amount'), '125.000');
    await press();
    expect(sent).toHaveLength(0);
    await user.click(screen.getByRole('button', { name: /^IDR.125,000$/ }));
    await press();
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]?.draft.totalAmount).toBe(125_000);
  });
});

describe('the draft', () => {
  it('outlives a reload, with its key', async () => {
    const { user, sent, press, reload } = setup(lost, 'ok');
    await user.type(screen.getByLabelText('Amount'), '7.50');
    await user.type(screen.getByLabelText(/Reference/), 'A-9');
    await press();
    await screen.findByRole('alert');
    reload();
    expect(screen.getByLabelText('Amount')).toHaveValue('7.50');
    expect(screen.getByLabelText(/Reference/)).toHaveValue('A-9');
    await press();
    await waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[1]?.key).toBe(sent[0]?.key);
  });

  it('keeps a currency that was chosen here, and says that it is not the business’s', async () => {
    const { user, reload } = setup();
    await user.selectOptions(screen.getByLabelText('Currency'), 'IDR');
    reload();
    expect(screen.getByLabelText('Currency')).toHaveValue('IDR');
    expect(screen.getByText('This till sells in IDR. The business sells in EUR.')).toBeInTheDocument();
  });
});
