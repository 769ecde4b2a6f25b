package control

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts are the names under which clients may address the channel. A page that an attacker's name server leads to this address (DNS rebinding) sends
// the attacker's name in Host, which is none of these.
type hosts map[string]bool

func newHosts(cfg Config) hosts {
	h := hosts{"localhost": true}
	if host, _, err := net.SplitHostPort(cfg.Listen); err == nil && host != "" {
		h[strings.ToLower(host)] = true
	}
	for _, name := range cfg.AllowedHosts {
		h[strings.ToLower(name)] = true
	}
	return h
}

// allow tells whether the request names the channel by a name of the list, by a loopback address, or by the very address that it came in at, which is
// how orchestrators probe.
func (h hosts) allow(r *http.Request) bool {
	name := hostOf(r.Host)
	if h[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	ip = ip.Unmap()
	if ip.IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == ip
}

// hostOf is the name in a Host header, in lower case, without port, brackets and final dot.
func hostOf(header string) string {
	name := header
	if host, _, err := net.SplitHostPort(header); err == nil {
		name = host
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	return strings.TrimSuffix(strings.ToLower(name), ".")
}

// isLocal tells whether the request comes from this machine and was not passed on by a proxy, which would make everyone local.
func isLocal(r *http.Request) bool {
	for _, mark := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(mark) != "" {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && isLoopbackName(hostOf(r.Host))
}
