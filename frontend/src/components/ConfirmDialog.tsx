import type { ReactNode } from 'react';
import { ModalDialog } from './ModalDialog';

export interface ConfirmDialogProps {
  readonly title: ReactNode;
  readonly children: ReactNode;
  readonly keep: string;
  readonly onKeep: () => void;
  readonly confirm: string;
  readonly onConfirm: () => void;
  /** Whether the action adds something, rather than ending something. */
  readonly isSafe?: boolean;
}

/** A confirmation dialog. Its two buttons are far apart. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, children, keep, onKeep, confirm, onConfirm, isSafe = false } = props;
  return (
    <ModalDialog role="alertdialog" title={title} onClose={onKeep}>
      {children}
      <div className="dialog-answers">
        {/* biome-ignore lint/a11y/noAutofocus: the safe answer has the focus of a dialog */}
        <button type="button" className="button settle" autoFocus={true} onClick={onKeep}>
          {keep}
        </button>
        <button
          type="button"
          className={`button settle ${isSafe ? 'button-primary' : 'button-danger'}`}
          onClick={onConfirm}
        >
          {confirm}
        </button>
      </div>
    </ModalDialog>
  );
}
