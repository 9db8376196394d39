package origin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// SettingsPath is where the page reads its configuration.
const SettingsPath = "/config.json"

// Settings are the page's configuration: the identity provider of its users. They are not secret.
type Settings struct {
	Issuer   string `envconfig:"OIDC_ISSUER"` // the provider's issuer URL; "": this page has no sign-in of its own
	ClientID string `envconfig:"OIDC_CLIENT_ID"`
	Scope    string `envconfig:"OIDC_SCOPE" default:"openid profile email offline_access"`
	Params   string `envconfig:"OIDC_PARAMS"`  // further parameters of the authorization request, as a query: audience=orderbell
	Origins  string `envconfig:"OIDC_ORIGINS"` // origins of the provider's endpoints if they differ from the issuer's, separated by commas

	TokenBox bool `envconfig:"FRONTEND_TOKEN_BOX" default:"false"` // the page accepts a pasted token; only for development
}

// Check returns an error for invalid settings.
func (s Settings) Check() error {
	if s.Issuer == "" {
		return nil
	}
	if s.TokenBox {
		return errors.New("FRONTEND_TOKEN_BOX is for clusters without OIDC_ISSUER: unset one of the two")
	}
	if err := checkProviderURL(s.Issuer); err != nil {
		return fmt.Errorf("OIDC_ISSUER: %w", err)
	}
	if s.ClientID == "" {
		return errors.New("OIDC_CLIENT_ID is not set: it is the name of the page at the provider of OIDC_ISSUER")
	}
	if _, err := url.ParseQuery(s.Params); err != nil {
		return fmt.Errorf("OIDC_PARAMS is %q, want name=value&name=value: %w", s.Params, err)
	}
	for origin := range strings.FieldsFuncSeq(s.Origins, isComma) {
		if err := checkProviderURL(origin); err != nil {
			return fmt.Errorf("OIDC_ORIGINS: %w", err)
		}
	}
	return nil
}

func isComma(r rune) bool { return r == ',' || r == ' ' }

// checkProviderURL requires https, except for loopback addresses.
func checkProviderURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not the address of a provider: want https://…", text)
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (err != nil || !address.IsLoopback()) {
		return fmt.Errorf("%q is not https: machines in between could read the tokens (http is for this machine alone)", text)
	}
	return nil
}

// origins returns the origins beside the page's own that the page may talk to.
func (s Settings) origins() []string {
	if s.Issuer == "" {
		return nil
	}
	var all []string
	for address := range strings.FieldsFuncSeq(s.Issuer+","+s.Origins, isComma) {
		if u, err := url.Parse(address); err == nil {
			all = append(all, u.Scheme+"://"+u.Host)
		}
	}
	return all
}

// ServeHTTP answers GET /config.json.
func (s Settings) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	type provider struct {
		Issuer   string            `json:"issuer"`
		ClientID string            `json:"client_id"`
		Scope    string            `json:"scope"`
		Params   map[string]string `json:"params,omitempty"`
	}
	var answer struct {
		OIDC     *provider `json:"oidc,omitempty"`
		TokenBox bool      `json:"token_box,omitempty"`
	}
	answer.TokenBox = s.TokenBox
	if s.Issuer != "" {
		answer.OIDC = &provider{Issuer: s.Issuer, ClientID: s.ClientID, Scope: s.Scope, Params: map[string]string{}}
		if params, err := url.ParseQuery(s.Params); err == nil {
			for name := range params {
				answer.OIDC.Params[name] = params.Get(name)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	_ = json.NewEncoder(w).Encode(answer) // the browser may have left
}
