/** The heartbeats of a paired device, from which managers see which devices are connected. */
import { api } from '../paths';
import { type Ask, sending } from './authorized';
import { Problem } from './problem';

/** Milliseconds between two heartbeats of a device, by openapi.yaml. */
const betweenSigns = 60_000;

/**
 * Reports every minute that this device's page is open, until `close`. `onRevoked` is called if the device is refused. With a
 * stream, the page learns that sooner.
 */
export function openSigns(ask: Ask, onRevoked: () => void): { close(): void } {
  const timer = setInterval(() => void sign(), betweenSigns);
  void sign();
  return { close: () => clearInterval(timer) };

  async function sign(): Promise<void> {
    try {
      await ask(api.seen, sending('POST'));
    } catch (err) {
      if (err instanceof Problem && err.status === 401) onRevoked();
    }
  }
}
