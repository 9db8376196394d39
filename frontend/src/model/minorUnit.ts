/**
 * The number of decimals of each currency, as in specs/004-order-notifications/contracts/minor-units.json, which a test checks. It
 * does not use Intl, because browsers of different versions disagree, and an update must not change an amount by a factor of 100.
 */
const digits: Readonly<Record<number, string>> = {
  0: 'BIF CLP DJF GNF IDR ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
      CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
      GMD GTQ GYD HKD HNL HTG HUF ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA
      MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR
      RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
      TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

const byCurrency: ReadonlyMap<string, number> = new Map(
  Object.entries(digits).flatMap(([count, codes]) =>
    codes.split(/\s+/).map((code) => [code, Number(count)] as const),
  ),
);

/** Every code that is known, in alphabetical order. */
export const knownCurrencies: readonly string[] = [...byCurrency.keys()].sort();

/** The number of decimals, or undefined for an unknown code. */
export function minorDigits(currency: string): number | undefined {
  return byCurrency.get(currency);
}
