/** Offered first: where Orderbell's first businesses sell. */
export const commonCurrencies: readonly string[] = ['IDR', 'USD', 'EUR', 'SGD', 'MYR', 'AUD', 'GBP', 'JPY'];

/** Every other code that this browser knows; `also` is among them though it may be one it does not know. */
export function otherCurrencies(also: string): readonly string[] {
  const others = Intl.supportedValuesOf('currency').filter((code) => !commonCurrencies.includes(code));
  return commonCurrencies.includes(also) || others.includes(also) ? others : [also, ...others];
}
