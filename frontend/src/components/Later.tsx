import { type ReactNode, Suspense } from 'react';
import { ErrorBoundary } from 'react-error-boundary';
import { t } from '../i18n/words';

export interface LaterProps {
  readonly children: ReactNode;
  /** Shown while the part is loaded. */
  readonly fallback?: ReactNode;
  /** Where the user is: a part that failed elsewhere does not matter here. */
  readonly at?: string;
}

/** A part of the page whose code is loaded when it is needed. If that fails, this says so in its place, and the rest goes on. */
export function Later({ children, fallback, at = '' }: LaterProps) {
  return (
    <ErrorBoundary FallbackComponent={Failed} resetKeys={[at]}>
      <Suspense fallback={fallback}>{children}</Suspense>
    </ErrorBoundary>
  );
}

function Failed() {
  return (
    <div className="page note" role="alert">
      <p>{t('part.failed')}</p>
      <p>
        <button type="button" className="button" onClick={() => window.location.reload()}>
          {t('part.reload')}
        </button>
      </p>
      <p>
        <a href="#/" className="back">
          {t('back')}
        </a>
      </p>
    </div>
  );
}
