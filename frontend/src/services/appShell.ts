/** The page as an app: it opens without a network, and keeps working after an update of the server. */

/** Lets the browser store the page. This is optional: plain http and private windows have no service worker. */
export async function keepPage(page: Window): Promise<void> {
  try {
    await page.navigator.serviceWorker?.register('/sw.js');
  } catch {
    // The page works without a service worker too.
  }
}

const reloadedKey = 'orderbell.reloaded';
/** Milliseconds in which a second reload would be a loop. */
const once = 60_000;

/** If the server no longer has a part of the page, because there is a newer build, the page is reloaded. */
export function reloadWhenOutdated(page: Window, now: () => number = Date.now): void {
  page.addEventListener('vite:preloadError', (event) => {
    const last = Number(page.sessionStorage.getItem(reloadedKey) ?? '0');
    if (now() - last < once || !page.navigator.onLine) return; // the part fails with its own error
    event.preventDefault();
    page.sessionStorage.setItem(reloadedKey, String(now()));
    page.location.reload();
  });
}
