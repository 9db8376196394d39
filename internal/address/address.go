// Package address decides which e-mail addresses can be mailed, and gives each mailbox one spelling.
//
// APIs, commands, stores and the mailer use this package alone, so that what one of them accepts the others accept too.
// The database repeats the coarse part of the rule in the function is_mail_address.
package address

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"golang.org/x/net/idna"
)

// Limits in bytes (RFC 5321 §4.5.3.1; the whole address without its brackets).
const (
	MaxLocal  = 64
	MaxLength = 254
)

// maxDomain is the longest domain (RFC 1035 §2.3.4, without the length bytes of the first and the last label).
const maxDomain = 253

// Parse returns s as it is stored and sent: the local part as it is, the domain in lower case and with A-labels, so that
// `kasse@BÜCHER.example` and `kasse@xn--bcher-kva.example` are one address. Parsing the result again changes nothing.
//
// It refuses addresses to which no mail server on the Internet delivers, or which the SMTP server may refuse: quoted local parts,
// local parts that are not ASCII (they need SMTPUTF8 on the whole way), address literals, and names without a dot.
func Parse(s string) (string, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return "", errors.New("an e-mail address has the form name@domain")
	}
	local, name := s[:at], s[at+1:]
	if err := checkLocal(local); err != nil {
		return "", err
	}
	domain, err := Domain(name)
	if err != nil {
		return "", err
	}
	whole := local + "@" + domain
	if len(whole) > MaxLength {
		return "", fmt.Errorf("an e-mail address can have at most %d characters", MaxLength)
	}
	return whole, nil
}

// Same reports whether a and b are one mailbox: their local parts differ in case at most. Mail servers may distinguish case
// (RFC 5321 §2.4), but no known one does, and users type both.
func Same(a, b string) bool {
	return strings.EqualFold(Canonical(a), Canonical(b))
}

// Canonical returns what [Parse] makes of s, or s itself where Parse refuses it. It is for looking up an address that a
// user typed, and for rows that are older than this package.
func Canonical(s string) string {
	if parsed, err := Parse(s); err == nil {
		return parsed
	}
	return s
}

// ParseMailbox reads `name@domain` or `Name <name@domain>`, as in a From header.
func ParseMailbox(s string) (mail.Address, error) {
	at := strings.LastIndexByte(s, '@')
	end := strings.LastIndexByte(s, '>')
	if at >= 0 && end < at {
		end = len(s)
	}
	if at < 0 {
		return mail.Address{}, errors.New("an e-mail address has the form name@domain, or Name <name@domain>")
	}
	domain, err := Domain(s[at+1 : end])
	if err != nil {
		return mail.Address{}, err
	}
	parsed, err := mail.ParseAddress(s[:at+1] + domain + s[end:])
	if err != nil {
		return mail.Address{}, errors.New("an e-mail address has the form name@domain, or Name <name@domain>")
	}
	bare, err := Parse(parsed.Address)
	return mail.Address{Name: parsed.Name, Address: bare}, err
}

// checkLocal accepts a dot-atom (RFC 5321 §4.1.2).
func checkLocal(local string) error {
	switch {
	case local == "":
		return errors.New("an e-mail address needs a name before the @")
	case strings.HasPrefix(local, `"`):
		return errors.New("an e-mail address with quotation marks is not supported")
	case len(local) > MaxLocal:
		return fmt.Errorf("an e-mail address can have at most %d characters before the @", MaxLocal)
	}
	for _, c := range []byte(local) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if c >= 0x80 {
			return errors.New("an e-mail address can have only ASCII characters before the @")
		}
		if !letter && !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~.", rune(c)) {
			return fmt.Errorf("an e-mail address cannot have %q before the @", rune(c))
		}
	}
	if local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, "..") {
		return errors.New("the part before the @ of an e-mail address cannot begin or end with a dot, nor have two in a row")
	}
	return nil
}

// Domain returns the name of a mail domain in lower case with A-labels (UTS 46, for lookup).
func Domain(name string) (string, error) {
	switch {
	case strings.HasPrefix(name, "["):
		return "", errors.New("an e-mail address cannot have an IP address as its domain")
	case name == "" || strings.HasSuffix(name, "."):
		return "", errors.New("an e-mail address must end with a domain, such as example.com")
	}
	// None of idna's own profiles has all of these checks: the length of labels, joiners and the Bidi rule.
	profile := idna.New(idna.MapForLookup(), idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true),
		idna.CheckHyphens(false), idna.CheckJoiners(true), idna.Transitional(false))
	domain, err := profile.ToASCII(name)
	if err != nil || len(domain) > maxDomain {
		return "", fmt.Errorf("%q is not a domain", name)
	}
	if again, err := profile.ToASCII(domain); err != nil || again != domain { // such as a byte that is not UTF-8
		return "", fmt.Errorf("%q is not a domain", name)
	}
	labels := strings.Split(domain, ".")
	if len(labels) < 2 {
		return "", fmt.Errorf("the domain %q has no dot: mail cannot be delivered to it", name)
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fmt.Errorf("%q is not a domain", name)
		}
	}
	top := labels[len(labels)-1]
	if strings.Trim(top, "0123456789") == "" {
		return "", fmt.Errorf("the domain %q ends with a number: an IP address cannot be mailed", name)
	}
	if top[0] < 'a' { // a digit: there is no such top-level domain, and some programs read 0x7f as an IP address
		return "", fmt.Errorf("the last part of the domain %q begins with a digit: mail cannot be delivered to it", name)
	}
	return domain, nil
}
