import { knownCurrencies } from '../model/minorUnit';

/** Offered first: where Orderbell's first businesses sell. */
export const commonCurrencies: readonly string[] = ['IDR', 'USD', 'EUR', 'SGD', 'MYR', 'AUD', 'GBP', 'JPY'];

/** Every other code that is known; `also` is among them though it may be none of those. */
export function otherCurrencies(also: string): readonly string[] {
  const others = knownCurrencies.filter((code) => !commonCurrencies.includes(code));
  return commonCurrencies.includes(also) || others.includes(also) ? others : [also, ...others];
}
