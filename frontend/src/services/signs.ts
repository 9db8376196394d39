/** The signs of a paired device: managers see which devices are connected. */
import { type Ask, sending } from './authorized';
import { Problem } from './problem';

/** Between two signs of a device, by openapi.yaml. */
const betweenSigns = 60_000;

/**
 * Says each minute that this device's page is open, until `close`. `onRevoked` is called if the device is refused: the stream
 * says so sooner, if there is one.
 */
export function openSigns(ask: Ask, onRevoked: () => void): { close(): void } {
  const timer = setInterval(() => void sign(), betweenSigns);
  void sign();
  return { close: () => clearInterval(timer) };

  async function sign(): Promise<void> {
    try {
      await ask('/api/devices/me/seen', sending('POST'));
    } catch (err) {
      if (err instanceof Problem && err.status === 401) onRevoked();
    }
  }
}
