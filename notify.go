package plba

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"
)

// notifier speaks the protocol of sd_notify(3): short texts as datagrams to the socket that NOTIFY_SOCKET names. Each goes over a socket of its own, as there
// is hardly ever one to send and a manager that was started anew listens on a new one. A nil notifier, without systemd, says nothing.
type notifier struct {
	socket   string
	watchdog time.Duration // 0: none is asked for
	log      *slog.Logger
}

const notifyTimeout = time.Second

// newNotifier gives nil when the environment names no socket.
func newNotifier(environ []string, pid int, log *slog.Logger) *notifier {
	n := &notifier{socket: variable(environ, "NOTIFY_SOCKET"), log: log}
	if n.socket == "" {
		return nil
	}
	var err error
	if n.watchdog, err = watchdogInterval(environ, pid); err != nil {
		log.Warn("systemd's watchdog is not fed", "error", err)
	}
	return n
}

// watchdogInterval is how long the watchdog waits; 0 when there is none, or it waits for another process.
func watchdogInterval(environ []string, pid int) (time.Duration, error) {
	usec, owner := variable(environ, "WATCHDOG_USEC"), variable(environ, "WATCHDOG_PID")
	if usec == "" || owner != "" && owner != strconv.Itoa(pid) {
		return 0, nil
	}
	n, err := strconv.ParseInt(usec, 10, 64)
	if err != nil || n <= 0 || n > int64(1<<63-1)/int64(time.Microsecond) {
		return 0, fmt.Errorf("WATCHDOG_USEC is %q, want microseconds", usec)
	}
	return time.Duration(n) * time.Microsecond, nil
}

// variable is the value in a list of the form of os.Environ; of several the last, as it is for a process.
func variable(environ []string, name string) (value string) {
	for _, entry := range environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

func (n *notifier) started() { n.send("READY=1\nSTATUS=running") }

func (n *notifier) stopping(reason string) {
	n.send("STOPPING=1\nSTATUS=stopping: " + strings.Join(strings.Fields(reason), " ")) // a line break would begin a message of its own
}

// keepAlive feeds the watchdog twice in its time until over is closed.
func (n *notifier) keepAlive(over <-chan struct{}) {
	if n == nil || n.watchdog == 0 {
		return
	}
	ticker := time.NewTicker(max(n.watchdog/2, time.Millisecond))
	defer ticker.Stop()
	for {
		n.send("WATCHDOG=1")
		select {
		case <-ticker.C:
		case <-over:
			return
		}
	}
}

// send must not stop the application from working: what does not arrive is logged, and systemd acts on its silence.
func (n *notifier) send(text string) {
	if n == nil {
		return
	}
	if err := n.trySend(text); err != nil {
		n.log.Warn("systemd could not be notified", "socket", n.socket, "error", err)
	}
}

func (n *notifier) trySend(text string) (err error) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"}) // "@…" is an abstract socket there, too
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyTimeout)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(text))
	return err
}
