package control

import (
	"context"
	"net/netip"
)

// channelHTTP is the name of the HTTP channel.
const channelHTTP = "http"

// caller is who asks, and by which way.
type caller struct {
	Principal
	channel  string
	from     netip.Addr // zero when it is not known
	recorded bool       // what is asked is in the audit
}

type callerKey struct{}

func withCaller(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{}
}

// asker is who was admitted.
func asker(ctx context.Context) Principal { return callerOf(ctx).Principal }
