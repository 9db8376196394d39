/** The business's paired devices, while a page shows them. */
import { t } from '../i18n/words';
import type { DeviceClient, PairedDevice } from '../services/devices';
import type { Problem } from '../services/problem';
import { type ManagedStore, managedStore } from './managed';

export type DeviceStore = ManagedStore<PairedDevice, DeviceClient>;

export function deviceStore(client: DeviceClient): DeviceStore {
  return managedStore(client, refusalOf);
}

function refusalOf({ status, errors, message }: Problem): string {
  const field = errors[0]?.field;
  if (status === 404) return t(field === 'user_code' ? 'devices.unknownCode' : 'devices.gone');
  if (status === 409) return t(field === 'name' ? 'devices.taken' : 'devices.most');
  if (status === 429) return t('devices.tooMany');
  return message;
}
