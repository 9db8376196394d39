import { type SubmitEvent, useId, useRef, useState } from 'react';
import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { minorDigits } from '../model/minorUnit';
import { formatMoney, parseAmount, typedAmount } from '../model/money';
import { type Order, orderName } from '../model/order';
import { normalText, type TextFault, textFault } from '../model/text';
import type { NewOrder as Draft } from '../services/orders';
import { messageOf, Problem } from '../services/problem';
import type { DraftKeeper } from '../store/draft';
import { alwaysOnline } from '../store/network';
import type { Observable } from '../store/observable';
import { AmountInput } from './AmountInput';
import { commonCurrencies, otherCurrencies } from './currencies';
import { Name } from './Name';
import { Say } from './Say';

export interface NewOrderProps {
  readonly create: (order: Draft, idempotencyKey: string) => Promise<Order>;
  /** The business's; "" while it is not known. */
  readonly businessCurrency: string;
  readonly draft: DraftKeeper;
  /** Whether the browser has a network. */
  readonly network?: Observable<boolean>;
}

type Sending =
  | { readonly kind: 'idle' }
  | { readonly kind: 'working' }
  | { readonly kind: 'created'; readonly name: string }
  | { readonly kind: 'failed'; readonly message: string; readonly fields: ReadonlyMap<string, string> };

/** The longest reference that fits on a receipt line (internal/order MaxReference). */
const longestReference = 64;

export function NewOrder({ create, businessCurrency, draft: keeper, network = alwaysOnline }: NewOrderProps) {
  const id = useId();
  const isOnline = useStore(network);
  const [draft, setDraft] = useState(() => keeper.load());
  const [isOpen, setOpen] = useState(draft.amount !== '');
  const [sending, setSending] = useState<Sending>({ kind: 'idle' });
  const amountInput = useRef<HTMLInputElement>(null);
  const referenceInput = useRef<HTMLInputElement>(null);

  // The currency depends on the business and this till only, not on the orders of other tills.
  const currency = draft.currency || businessCurrency;
  const isForeign = businessCurrency !== '' && currency !== businessCurrency;
  const parsed = parseAmount(draft.amount, currency);
  const reference = normalText(draft.reference);
  const fault = textFault(reference);
  const fields = sending.kind === 'failed' ? sending.fields : undefined;
  const mustWait = sending.kind === 'working' || currency === '' || !isOnline;

  function edit(change: Partial<typeof draft>): void {
    const next = { ...draft, ...change };
    setDraft(next);
    keeper.save(next);
    if (sending.kind !== 'working') setSending({ kind: 'idle' });
  }

  async function submit(event: SubmitEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    if (mustWait) return;
    if (parsed.kind !== 'ok') {
      const problem = parsed.kind === 'ask' ? t('new.ask') : parsed.problem;
      setSending({ kind: 'failed', message: '', fields: new Map([['total_amount', problem]]) });
      amountInput.current?.focus();
      return;
    }
    if (fault !== undefined) {
      setSending({ kind: 'failed', message: '', fields: new Map([['reference', faultText(fault)]]) });
      referenceInput.current?.focus();
      return;
    }
    const order: Draft = { reference, totalAmount: parsed.totalAmount, currency };
    setSending({ kind: 'working' });
    try {
      const made = await create(order, keeper.keyFor(order));
      keeper.forgetKey();
      // The chosen currency stays until a user at this till chooses another.
      edit({ amount: '', reference: '' });
      setSending({ kind: 'created', name: orderName(made) });
      amountInput.current?.focus();
    } catch (err) {
      setSending(failure(err));
    }
  }

  return (
    <section className="new-order" aria-labelledby={`${id}-title`} data-open={isOpen}>
      <h2 id={`${id}-title`}>{t('new.title')}</h2>
      <button
        type="button"
        className="button button-wide new-order-toggle"
        aria-expanded={isOpen}
        aria-controls={`${id}-form`}
        onClick={() => setOpen(!isOpen)}
      >
        {t('new.title')}
      </button>
      <form id={`${id}-form`} onSubmit={(event) => void submit(event)} noValidate={true}>
        <div className="field field-amount">
          <label htmlFor={`${id}-amount`}>{t('new.amount')}</label>
          <AmountInput
            id={`${id}-amount`}
            inputRef={amountInput}
            className="input"
            data-shortcut="new"
            inputMode={minorDigits(currency) === 0 ? 'numeric' : 'decimal'}
            autoComplete="off"
            required={true}
            typed={draft.amount}
            onType={(amount) => edit({ amount })}
            aria-invalid={fields?.has('total_amount') === true}
            aria-describedby={`${id}-amount-note`}
          />
        </div>
        <div className="field field-currency">
          <label htmlFor={`${id}-currency`}>{t('new.currency')}</label>
          <select
            id={`${id}-currency`}
            className="input"
            value={currency}
            onChange={({ target: { value } }) => edit({ currency: value === businessCurrency ? '' : value })}
            aria-invalid={fields?.has('currency') === true}
          >
            {currency === '' && <option value="">…</option>}
            <optgroup label={t('new.common')}>
              {commonCurrencies.map((code) => (
                <option key={code}>{code}</option>
              ))}
            </optgroup>
            <optgroup label={t('new.others')}>
              {otherCurrencies(currency).map((code) => (
                <option key={code}>{code}</option>
              ))}
            </optgroup>
          </select>
        </div>
        <div id={`${id}-amount-note`} className="field-note field-amount-note" aria-live="polite">
          <FieldProblem text={fields?.get('total_amount') ?? fields?.get('currency')} />
          {fields === undefined && parsed.kind === 'ok' && (
            <strong className="understood">{formatMoney(parsed.totalAmount, currency)}</strong>
          )}
          {fields === undefined && parsed.kind === 'problem' && draft.amount !== '' && parsed.problem}
          {fields === undefined && parsed.kind === 'ask' && t('new.ask')}
          {isForeign && (
            <span className="foreign">{t('new.foreign', { currency, usual: businessCurrency })}</span>
          )}
        </div>
        {parsed.kind === 'ask' && (
          <fieldset className="choices">
            <legend className="hidden">{t('new.ask')}</legend>
            {parsed.amounts.map((amount) => (
              <button
                key={amount}
                type="button"
                className="button settle"
                onClick={() => {
                  edit({ amount: typedAmount(amount, currency) });
                  amountInput.current?.focus();
                }}
              >
                {formatMoney(amount, currency)}
              </button>
            ))}
          </fieldset>
        )}
        <div className="field field-reference">
          <label htmlFor={`${id}-reference`}>
            {t('new.reference')} <span className="faint">{t('new.optional')}</span>
          </label>
          <input
            id={`${id}-reference`}
            ref={referenceInput}
            className="input"
            dir="auto"
            autoComplete="off"
            maxLength={longestReference}
            placeholder="A-1042"
            value={draft.reference}
            onChange={(event) => edit({ reference: event.target.value })}
            aria-invalid={fields?.has('reference') === true}
            aria-describedby={`${id}-reference-note`}
          />
          <p id={`${id}-reference-note`} className="field-note" aria-live="polite">
            <FieldProblem text={fields?.get('reference')} />
          </p>
        </div>
        <button type="submit" className="button button-primary button-wide submit" aria-disabled={mustWait}>
          {sending.kind === 'working' ? t('new.creating') : t('new.create')}
        </button>
        <OfflineNote isOnline={isOnline} />
        <p className="form-outcome" role="status">
          {sending.kind === 'created' && <Say id="new.created" name={<Name of={sending.name} />} />}
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

/** A problem of a field is shown at the field, any other below the form. */
function failure(err: unknown): Sending {
  const problems = err instanceof Problem ? err.errors : [];
  const fields = new Map(problems.map((problem) => [problem.field, problem.detail]));
  const isShownAtFields = [...fields.keys()].some((field) => field in shownFields);
  return { kind: 'failed', message: isShownAtFields ? '' : messageOf(err), fields };
}

function OfflineNote({ isOnline }: { readonly isOnline: boolean }) {
  return isOnline ? null : <p className="note">{t('new.offline')}</p>;
}

function faultText(fault: TextFault): string {
  return fault.kind === 'invisible' ? t('text.invisible') : t('text.character', { character: fault.point });
}

const shownFields = { total_amount: true, currency: true, reference: true };

function FieldProblem({ text }: { readonly text: string | undefined }) {
  return text === undefined ? null : <span className="field-problem">{text}</span>;
}
