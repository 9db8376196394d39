package auth

import (
	"errors"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
)

// fault says what a library's error means.
type fault struct {
	cause error
	what  string // what is wrong with the token
	next  string // what its user does next
}

func (f *fault) Error() string { return f.what + ": " + f.next }

func (f *fault) Unwrap() error { return f.cause }

// faults returns all faults. If a token has several, the first one is reported.
func faults() []fault {
	return []fault{
		{jwkset.ErrKeyNotFound, "the key that signed the token is unknown", "sign in again"},
		{jwt.ErrTokenExpired, "the token has expired", "sign in again"},
		{jwt.ErrTokenNotValidYet, "the token is not valid before the time of its claim nbf", "correct the clock of the identity provider"},
		{jwt.ErrTokenUsedBeforeIssued, "the token's claim iat is in the future", "correct the clock of the identity provider"},
		{jwt.ErrTokenInvalidIssuer, "the token is from another issuer (claim iss)", "sign in at Orderbell's identity provider"},
		{jwt.ErrTokenInvalidAudience, "the token is for another audience (claim aud)", "request a token for Orderbell"},
		{jwt.ErrTokenRequiredClaimMissing, "the token has no claim exp, iss or aud", "correct the identity provider"},
		{jwt.ErrTokenSignatureInvalid, "the token's signature is not valid", "sign in again"},
		{jwt.ErrTokenMalformed, "the token is malformed", "send a JWT of the identity provider, or the token of a paired device"},
	}
}

// reason returns the reason to refuse a token, for a user: one of ours, or a *[fault].
func reason(err error) error {
	for _, ours := range []error{errNoKey, errCritical} {
		if errors.Is(err, ours) {
			return ours
		}
	}
	for _, f := range faults() {
		if errors.Is(err, f.cause) {
			return &f
		}
	}
	return &fault{err, "the token cannot be verified", "sign in again"}
}

// senderReason is [reason] for an operator, who does not sign in.
func senderReason(err error) string {
	err = reason(err)
	var f *fault
	if errors.As(err, &f) {
		return f.what
	}
	return err.Error()
}
