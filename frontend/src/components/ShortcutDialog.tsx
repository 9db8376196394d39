import { useStore } from '../hooks/useStore';
import { t } from '../i18n/words';
import { type ShortcutStore, shortcuts } from '../store/shortcuts';
import { ModalDialog } from './ModalDialog';

const always = [
  ['Tab', 'tab'],
  ['Enter', 'enter'],
  ['Esc', 'escape'],
] as const;

export interface ShortcutDialogProps {
  readonly store: ShortcutStore;
  readonly onClose: () => void;
}

/** The list of keys, and the switch for those of one character. */
export function ShortcutDialog({ store, onClose }: ShortcutDialogProps) {
  const areUsed = useStore(store);
  return (
    <ModalDialog title={t('keys.title')} onClose={onClose}>
      <dl className="keys">
        {[...Object.entries(shortcuts), ...always].map(([key, name]) => (
          <div key={key} data-off={!areUsed && key.length === 1}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{t(`keys.${name}`)}</dd>
          </div>
        ))}
      </dl>
      <label className="stays">
        <input type="checkbox" checked={areUsed} onChange={(event) => store.use(event.target.checked)} />
        <span>
          {t('keys.on')}
          <br />
          <span className="faint">{t('keys.onDetail')}</span>
        </span>
      </label>
      <div className="dialog-answers">
        {/* biome-ignore lint/a11y/noAutofocus: a dialog has the focus */}
        <button type="button" className="button settle" autoFocus={true} onClick={onClose}>
          {t('close')}
        </button>
      </div>
    </ModalDialog>
  );
}
