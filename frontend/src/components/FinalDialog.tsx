import { isolated, t } from '../i18n/words';
import { formatMoney } from '../model/money';
import type { Order } from '../model/order';
import { ConfirmDialog } from './ConfirmDialog';
import { Name } from './Name';
import type { FinalStatus } from './OrderActions';
import { Say } from './Say';

export interface FinalDialogProps {
  readonly order: Order;
  readonly name: string;
  readonly status: FinalStatus;
  readonly onKeep: () => void;
  readonly onConfirm: () => void;
}

/** Confirms a refund or a cancellation. It names the order and the amount. */
export function FinalDialog({ order, name, status, onKeep, onConfirm }: FinalDialogProps) {
  const amount = formatMoney(order.totalAmount, order.currency);
  return (
    <ConfirmDialog
      title={<Say id={`final.${status}.title`} name={<Name of={name} />} />}
      keep={t('final.keep')}
      onKeep={onKeep}
      confirm={t(`final.${status}.confirm`, { name: isolated(name), amount })}
      onConfirm={onConfirm}
    >
      <p className="dialog-amount">{amount}</p>
      <p>{t(`final.${status}.text`)}</p>
    </ConfirmDialog>
  );
}
