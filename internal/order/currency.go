package order

import "strings"

// minorDigits returns the number of decimals of each currency, as in specs/004-order-notifications/contracts/minor-units.json. A
// test of the contract compares the two.
func minorDigits() map[int]string {
	return map[int]string{
		0: "BIF CLP DJF GNF IDR ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
		2: "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD " +
			"CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP " +
			"GMD GTQ GYD HKD HNL HTG HUF ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA " +
			"MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR " +
			"RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD " +
			"TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
		3: "BHD IQD JOD KWD LYD OMR TND",
		4: "CLF UYW",
	}
}

// MinorDigits returns the number of decimals of the currency: total_amount is in units of 10^-digits. It returns false for an
// unknown code.
func MinorDigits(currency string) (digits int, known bool) {
	if !IsCurrency(currency) {
		return 0, false
	}
	for digits, codes := range minorDigits() {
		if strings.Contains(codes, currency) { // codes have three letters, and blanks between them
			return digits, true
		}
	}
	return 0, false
}
