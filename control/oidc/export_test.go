package oidc

import "time"

// Wait lets the time pass in which the issuer is not asked again.
func (a *Authenticator) Wait() {
	a.issuer.mu.Lock()
	a.issuer.asked = time.Time{}
	a.issuer.mu.Unlock()
	s := a.issuer.client.Transport.(*sparing)
	s.mu.Lock()
	clear(s.answers)
	s.mu.Unlock()
}

// Hurry shortens the patience with the issuer.
func (a *Authenticator) Hurry(d time.Duration) { a.issuer.client.Transport.(*sparing).timeout = d }
