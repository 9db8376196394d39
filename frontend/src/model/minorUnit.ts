/**
 * How many decimals an amount of a currency has. Written down rather than asked of Intl: browsers of different years
 * disagree (HUF, RSD, TZS), and an amount must not grow a hundredfold with an update. The same as the server's e-mails
 * show (CLDR's digits in golang.org/x/text); every code that is not here has two.
 */
const digits: Readonly<Record<number, string>> = {
  0: `ADP AFN ALL AMD BIF BYR CLP COP DJF ESP GNF GYD IDR IQD IRR ISK ITL JPY KMF KPW KRW LAK LBP LUF MGA MGF MMK
      MNT MRO MUR PKR PYG RSD RWF SLL SOS STD SYP TMM TRL TZS UGX UYI UZS VND VUV XAF XOF XPF YER ZMK ZWD`,
  3: 'BHD JOD KWD LYD OMR TND',
  4: 'CLF',
};

const byCurrency: ReadonlyMap<string, number> = new Map(
  Object.entries(digits).flatMap(([count, codes]) =>
    codes.split(/\s+/).map((code) => [code, Number(count)] as const),
  ),
);

export function minorDigits(currency: string): number {
  return byCurrency.get(currency) ?? 2;
}
