import { render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import type { Order } from '../model/order';
import type { NewOrder as Draft } from '../services/orders';
import { Problem } from '../services/problem';
import { NewOrder } from './NewOrder';

function setup(...outcomes: (Problem | 'ok')[]) {
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
  render(<NewOrder create={create} suggestedCurrency="EUR" />);
  const user = userEvent.setup();
  return { user, sent, press: () => user.click(screen.getByRole('button', { name: 'Create order' })) };
}

const lost = new Problem(0, 'The server could not be reached.');

describe('the form', () => {
  it('sends minor units, says so, and is ready for the next order', async () => {
    const { user, sent, press } = setup();
    await user.type(screen.getByLabelText('Amount'), '12,5');
    expect(screen.getByText('€12.50')).toBeInTheDocument();
    await user.type(screen.getByLabelText(/Reference/), ' A-1 ');
    await press();
    expect(await screen.findByText('Order A-1 created.')).toBeInTheDocument();
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
