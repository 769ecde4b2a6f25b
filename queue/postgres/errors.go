package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// ErrUnavailable: the database cannot be reached, or does not answer in time. What was asked may or may not have happened; nothing acknowledged is lost.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrNewer: the tables were made by a version of this package that this one cannot work with.
	ErrNewer = errors.New("the tables belong to a newer version")
	// ErrUnsafe: the server would acknowledge what it may forget in a crash.
	ErrUnsafe = errors.New("synchronous_commit is off")
)

// SQLSTATE codes that are acted on.
const (
	deadlock             = "40P01"
	serializationFailure = "40001"
	queryCanceled        = "57014"
	readOnly             = "25006"
)

// sqlState is the code of a server's error, "" for others.
func sqlState(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// again says whether a transaction that failed so changed nothing and may succeed when it is repeated.
func again(err error) bool {
	code := sqlState(err)
	return code == deadlock || code == serializationFailure
}

// refused says whether the server answered, and did not want what was sent: it is no use to send that again.
func refused(err error) bool {
	code := sqlState(err)
	return strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23") || strings.HasPrefix(code, "54")
}

// explain tells a database that cannot be reached from one that refuses, and from what this package itself says. ctx is the caller's.
func explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case away(err) && !errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	default:
		return err
	}
}

// away says whether an error is that of a connection, or of a server that is going, coming, or has no room for us, or is a replica.
func away(err error) bool {
	if code := sqlState(err); code != "" {
		return code == queryCanceled || code == readOnly || strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57P")
	}
	var connecting *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connecting) || errors.As(err, &network) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// errInternal marks answers of the database that this package cannot have caused.
var errInternal = errors.New("unexpected answer of the database")
