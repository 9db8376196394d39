import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { t } from '../i18n/words';
import { routes } from '../paths';

export interface SettingsPageProps {
  readonly id: string;
  readonly title: string;
  readonly state:
    | { readonly kind: 'loading' | 'ready' }
    | { readonly kind: 'failed'; readonly message: string };
  readonly load: () => unknown;
  readonly children: ReactNode;
}

/** The frame of a settings page: the link back, the title, and the reason if the settings cannot be shown yet. */
export function SettingsPage({ id, title, state, load, children }: SettingsPageProps) {
  return (
    <main id={id} className="page preferences">
      <p>
        <Link href={routes.orders} className="back">
          {t('back')}
        </Link>
      </p>
      <h2>{title}</h2>
      {state.kind === 'loading' && <p role="status">{t('loading')}</p>}
      {state.kind === 'failed' && (
        <>
          <p className="field-problem" role="alert">
            {state.message}
          </p>
          <button type="button" className="button" onClick={() => load()}>
            {t('tryAgain')}
          </button>
        </>
      )}
      {children}
    </main>
  );
}
