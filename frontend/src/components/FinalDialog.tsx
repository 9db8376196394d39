import { isolated, t } from '../i18n/words';
import { formatMoney } from '../model/money';
import type { Order } from '../model/order';
import { ModalDialog } from './ModalDialog';
import type { FinalStatus } from './OrderActions';
import { Say } from './Say';

export interface FinalDialogProps {
  readonly order: Order;
  readonly name: string;
  readonly status: FinalStatus;
  readonly onKeep: () => void;
  readonly onConfirm: () => void;
}

/** Asks once more before money or an order is gone: it names both, and its two answers are far apart. */
export function FinalDialog({ order, name, status, onKeep, onConfirm }: FinalDialogProps) {
  const amount = formatMoney(order.totalAmount, order.currency);
  return (
    <ModalDialog
      role="alertdialog"
      title={<Say id={`final.${status}.title`} name={<bdi>{name}</bdi>} />}
      onClose={onKeep}
    >
      <p className="dialog-amount">{amount}</p>
      <p>{t(`final.${status}.text`)}</p>
      <div className="dialog-answers">
        {/* biome-ignore lint/a11y/noAutofocus: the safe answer has the focus of a dialog */}
        <button type="button" className="button settle" autoFocus={true} onClick={onKeep}>
          {t('final.keep')}
        </button>
        <button type="button" className="button button-danger settle" onClick={onConfirm}>
          {t(`final.${status}.confirm`, { name: isolated(name), amount })}
        </button>
      </div>
    </ModalDialog>
  );
}
