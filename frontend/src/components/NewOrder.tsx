import { type SubmitEvent, useId, useRef, useState } from 'react';
import { minorDigits } from '../model/minorUnit';
import { formatMoney, parseAmount } from '../model/money';
import { type Order, orderName } from '../model/order';
import { type NewOrder as Draft, newIdempotencyKey } from '../services/orders';
import { messageOf, Problem } from '../services/problem';
import { commonCurrencies, otherCurrencies } from './currencies';

export interface NewOrderProps {
  readonly create: (order: Draft, idempotencyKey: string) => Promise<Order>;
  readonly suggestedCurrency: string;
}

type Sending =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working' }
  | { readonly kind: 'created'; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string; readonly fields: ReadonlyMap<string, string> };

/** The longest reference that fits on a receipt line (internal/order MaxReference). */
const longestReference = 64;

export function NewOrder({ create, suggestedCurrency }: NewOrderProps) {
  const id = useId();
  const [reference, setReference] = useState('');
  const [amount, setAmount] = useState('');
  const [chosenCurrency, setChosenCurrency] = useState<string>();
  const [isOpen, setOpen] = useState(false);
  const [sending, setSending] = useState<Sending>({ kind: 'idle' });
  const keys = useRef(retryKeys());
  const amountInput = useRef<HTMLInputElement>(null);

  const currency = chosenCurrency ?? suggestedCurrency;
  const parsed = parseAmount(amount, currency);
  const preview = parsed.ok ? formatMoney(parsed.totalAmount, currency) : '';
  const fields = sending.kind === 'failed' ? sending.fields : undefined;

  async function submit(event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    if (sending.kind === 'working') return;
    if (!parsed.ok) {
      setSending({ kind: 'failed', message: '', fields: new Map([['total_amount', parsed.problem]]) });
      amountInput.current?.focus();
      return;
    }
    const draft: Draft = { reference: reference.trim(), totalAmount: parsed.totalAmount, currency };
    setSending({ kind: 'working' });
    try {
      const order = await create(draft, keys.current.keyFor(draft));
      keys.current.forget();
      setReference('');
      setAmount('');
      setSending({ kind: 'created', text: `Order ${orderName(order)} created.` });
      amountInput.current?.focus();
    } catch (err) {
      const problems = err instanceof Problem ? err.errors : [];
      const known = new Map(problems.map((problem) => [problem.field, problem.detail]));
      const isShownAtFields = [...known.keys()].some((field) => field in shownFields);
      setSending({ kind: 'failed', message: isShownAtFields ? '' : messageOf(err), fields: known });
    }
  }

  function edited(): void {
    if (sending.kind !== 'working') setSending({ kind: 'idle' });
  }

  return (
    <section className="new-order" aria-labelledby={`${id}-title`} data-open={isOpen}>
      <h2 id={`${id}-title`}>New order</h2>
      <button
        type="button"
        className="button button-wide new-order-toggle"
        aria-expanded={isOpen}
        aria-controls={`${id}-form`}
        onClick={() => setOpen(!isOpen)}
      >
        New order
      </button>
      <form id={`${id}-form`} onSubmit={(event) => void submit(event)} noValidate={true}>
        <div className="field field-amount">
          <label htmlFor={`${id}-amount`}>Amount</label>
          <input
            id={`${id}-amount`}
            ref={amountInput}
            className="input"
            inputMode={minorDigits(currency) === 0 ? 'numeric' : 'decimal'}
            autoComplete="off"
            required={true}
            value={amount}
            onChange={(event) => {
              setAmount(event.target.value);
              edited();
            }}
            aria-invalid={fields?.has('total_amount') === true}
            aria-describedby={`${id}-amount-note`}
          />
        </div>
        <div className="field field-currency">
          <label htmlFor={`${id}-currency`}>Currency</label>
          <select
            id={`${id}-currency`}
            className="input"
            value={currency}
            onChange={(event) => {
              setChosenCurrency(event.target.value);
              edited();
            }}
            aria-invalid={fields?.has('currency') === true}
          >
            <optgroup label="Common">
              {commonCurrencies.map((code) => (
                <option key={code}>{code}</option>
              ))}
            </optgroup>
            <optgroup label="All others">
              {otherCurrencies(currency).map((code) => (
                <option key={code}>{code}</option>
              ))}
            </optgroup>
          </select>
        </div>
        <p id={`${id}-amount-note`} className="field-note field-amount-note" aria-live="polite">
          <FieldProblem text={fields?.get('total_amount') ?? fields?.get('currency')} />
          {fields === undefined && preview}
        </p>
        <div className="field field-reference">
          <label htmlFor={`${id}-reference`}>
            Reference <span className="faint">optional</span>
          </label>
          <input
            id={`${id}-reference`}
            className="input"
            autoComplete="off"
            maxLength={longestReference}
            placeholder="A-1042"
            value={reference}
            onChange={(event) => {
              setReference(event.target.value);
              edited();
            }}
            aria-invalid={fields?.has('reference') === true}
            aria-describedby={`${id}-reference-note`}
          />
          <p id={`${id}-reference-note`} className="field-note" aria-live="polite">
            <FieldProblem text={fields?.get('reference')} />
          </p>
        </div>
        <button
          type="submit"
          className="button button-primary button-wide submit"
          aria-disabled={sending.kind === 'working'}
        >
          {sending.kind === 'working' ? 'Creating…' : 'Create order'}
        </button>
        <p className="form-outcome" role="status">
          {sending.kind === 'created' && sending.text}
        </p>
        {sending.kind === 'failed' && sending.message !== '' && (
          <p className="field-problem form-problem" role="alert">
            {sending.message}
          </p>
        )}
      </form>
    </section>
  );
}

const shownFields = { total_amount: true, currency: true, reference: true };

function FieldProblem({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <span className="field-problem">{text}</span>;
}

/**
 * The Idempotency-Key of a draft: the same for every try of the same draft until one succeeds, so that pressing the button
 * again after a lost answer cannot sell twice; another for another draft, since a key belongs to one body.
 */
function retryKeys() {
  let draft = '';
  let key = '';
  return {
    keyFor(order: Draft): string {
      const content = JSON.stringify(order);
      if (key === '' || content !== draft) key = newIdempotencyKey();
      draft = content;
      return key;
    },
    forget(): void {
      key = '';
    },
  };
}
