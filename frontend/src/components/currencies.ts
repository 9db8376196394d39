import { knownCurrencies } from '../model/minorUnit';

/** Offered first: the currencies of Orderbell's first businesses. */
export const commonCurrencies: readonly string[] = ['IDR', 'USD', 'EUR', 'SGD', 'MYR', 'AUD', 'GBP', 'JPY'];

/** Every other known code, and `also`. */
export function otherCurrencies(also: string): readonly string[] {
  const others = knownCurrencies.filter((code) => !commonCurrencies.includes(code));
  return commonCurrencies.includes(also) || others.includes(also) ? others : [also, ...others];
}
