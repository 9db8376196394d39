package provider

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// authorization is a request for authorization, from its arrival to its code. It implements [op.AuthRequest].
type authorization struct {
	id       string
	asked    *oidc.AuthRequest
	audience string
	userID   string // "" until a user has signed in
	signedIn time.Time
}

func (a *authorization) GetID() string                      { return a.id }
func (a *authorization) GetACR() string                     { return "" }
func (a *authorization) GetAMR() []string                   { return nil }
func (a *authorization) GetAudience() []string              { return []string{a.audience, a.asked.ClientID} }
func (a *authorization) GetAuthTime() time.Time             { return a.signedIn }
func (a *authorization) GetClientID() string                { return a.asked.ClientID }
func (a *authorization) GetNonce() string                   { return a.asked.Nonce }
func (a *authorization) GetRedirectURI() string             { return a.asked.RedirectURI }
func (a *authorization) GetResponseType() oidc.ResponseType { return a.asked.ResponseType }
func (a *authorization) GetResponseMode() oidc.ResponseMode { return a.asked.ResponseMode }
func (a *authorization) GetScopes() []string                { return a.asked.Scopes }
func (a *authorization) GetState() string                   { return a.asked.State }
func (a *authorization) GetSubject() string                 { return a.userID }
func (a *authorization) Done() bool                         { return a.userID != "" }

// GetCodeChallenge implements [op.AuthRequest]; nil: the request has none, and the token endpoint refuses the code.
func (a *authorization) GetCodeChallenge() *oidc.CodeChallenge {
	if a.asked.CodeChallenge == "" {
		return nil
	}
	return &oidc.CodeChallenge{Challenge: a.asked.CodeChallenge, Method: a.asked.CodeChallengeMethod}
}

// grant is the state of a refresh token. It implements [op.RefreshTokenRequest].
type grant struct {
	userID, clientID string
	audience, scopes []string
	signedIn         time.Time
}

func (g *grant) GetAMR() []string                 { return nil }
func (g *grant) GetAudience() []string            { return g.audience }
func (g *grant) GetAuthTime() time.Time           { return g.signedIn }
func (g *grant) GetClientID() string              { return g.clientID }
func (g *grant) GetScopes() []string              { return g.scopes }
func (g *grant) GetSubject() string               { return g.userID }
func (g *grant) SetCurrentScopes(scopes []string) { g.scopes = scopes }

// page is the only client: the front end. It is a public client and uses PKCE.
type page struct{ origin string }

// pageReload is the origin of `npm run dev` in front of `orderbell dev`.
const pageReload = "http://localhost:5173"

func (p page) RedirectURIs() []string {
	return []string{p.origin + "/signed-in", pageReload + "/signed-in"}
}

func (p page) PostLogoutRedirectURIs() []string { return []string{p.origin + "/", pageReload + "/"} }
func (page) GetID() string                      { return ClientID }
func (page) ApplicationType() op.ApplicationType {
	return op.ApplicationTypeUserAgent
}
func (page) AuthMethod() oidc.AuthMethod { return oidc.AuthMethodNone }
func (page) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

func (page) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}
func (page) LoginURL(id string) string            { return choosePath + "?request=" + id }
func (page) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeJWT }
func (page) IDTokenLifetime() time.Duration       { return time.Hour }
func (page) DevMode() bool                        { return true } // http, at localhost
func (page) IsScopeAllowed(string) bool           { return false }
func (page) IDTokenUserinfoClaimsAssertion() bool { return false }
func (page) ClockSkew() time.Duration             { return 0 }

func (page) RestrictAdditionalIdTokenScopes() func([]string) []string { //nolint:revive // the interface's name
	return func(scopes []string) []string { return scopes }
}

func (page) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
