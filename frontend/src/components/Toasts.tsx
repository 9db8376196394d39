import { useEffect, useState } from 'react';
import type { Notification } from '../model/frame';
import type { Feed } from '../store/feed';
import { notificationText } from './notificationText';

/** Long enough to read twice; the bell keeps what was missed. */
const shownFor = 8000;
/** After a reconnect many may come at once; the latest few are enough. */
const most = 3;

export function Toasts({ feed }: { readonly feed: Feed }) {
  const [toasts, setToasts] = useState<readonly Notification[]>([]);

  useEffect(() => {
    const timers = new Set<ReturnType<typeof setTimeout>>();
    const stop = feed.onNotification((notification) => {
      setToasts((shown) => [...shown, notification].slice(-most));
      const timer = setTimeout(() => {
        timers.delete(timer);
        setToasts((shown) => shown.filter((toast) => toast !== notification));
      }, shownFor);
      timers.add(timer);
    });
    return () => {
      stop();
      for (const timer of timers) clearTimeout(timer);
    };
  }, [feed]);

  return (
    <div className="toasts" role="log" aria-live="polite" aria-label="New notifications">
      {toasts.map((toast) => (
        <p key={toast.notificationId} className="toast" data-testid="toast">
          {notificationText(toast)}
        </p>
      ))}
    </div>
  );
}
