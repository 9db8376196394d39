import { expect, it } from 'vitest';
import { wakeLock } from './wakeLock';

function aPage() {
  const document = Object.assign(new EventTarget(), {
    visibilityState: 'visible' as DocumentVisibilityState,
  });
  const kept = new Map<string, string>();
  const device = { refuses: false, held: 0 };
  const navigator = {
    wakeLock: {
      request: async () => {
        if (device.refuses) throw new DOMException('low battery', 'NotAllowedError');
        device.held += 1;
        const sentinel = {
          released: false,
          release: async () => {
            if (!sentinel.released) device.held -= 1;
            sentinel.released = true;
          },
        };
        onHide.push(() => void sentinel.release());
        return sentinel;
      },
    },
  };
  const onHide: (() => void)[] = [];
  const localStorage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  };
  function show(visibilityState: DocumentVisibilityState): void {
    document.visibilityState = visibilityState;
    if (visibilityState === 'hidden') for (const release of onHide.splice(0)) release();
    document.dispatchEvent(new Event('visibilitychange'));
  }
  return { page: { document, navigator, localStorage } as unknown as Window, device, show };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
}

it('keeps the screen on only where it was chosen, again after the page was hidden, and after a reload', async () => {
  const { page, device, show } = aPage();
  const lock = wakeLock(page);
  await settle();
  expect(device.held).toBe(0);
  lock.choose(true);
  await settle();
  expect([lock.getSnapshot().kind, device.held]).toEqual(['on', 1]);
  show('hidden');
  await settle();
  expect(device.held).toBe(0);
  show('visible');
  await settle();
  expect(device.held).toBe(1);
  lock.choose(false);
  await settle();
  expect([lock.getSnapshot().kind, device.held]).toEqual(['off', 0]);
  lock.choose(true);
  await settle();
  expect(wakeLock(page).getSnapshot().kind).toBe('on');
});

it('says that the device refuses, and asks again when the page is shown', async () => {
  const { page, device, show } = aPage();
  device.refuses = true;
  const lock = wakeLock(page);
  lock.choose(true);
  await settle();
  expect(lock.getSnapshot().kind).toBe('refused');
  device.refuses = false;
  show('visible');
  await settle();
  expect([lock.getSnapshot().kind, device.held]).toEqual(['on', 1]);
});

it('says so where the browser cannot', () => {
  const { page } = aPage();
  Object.assign(page, { navigator: {} });
  expect(wakeLock(page).getSnapshot().kind).toBe('unsupported');
});
