import type { ReactNode } from 'react';
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components';

export interface ModalDialogProps {
  readonly role?: 'dialog' | 'alertdialog';
  readonly title: ReactNode;
  /** Escape, or a click outside the dialog. */
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A modal dialog that is open while it is mounted. */
export function ModalDialog({ role = 'dialog', title, onClose, children }: ModalDialogProps) {
  return (
    <ModalOverlay
      className="dialog-back"
      isOpen={true}
      isDismissable={true}
      onOpenChange={(isOpen) => {
        if (!isOpen) onClose();
      }}
    >
      <Modal className="dialog">
        <Dialog role={role}>
          <Heading slot="title" className="dialog-title">
            {title}
          </Heading>
          {children}
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}
