// Command listen greets whoever says a name: echo world | nc 127.0.0.1 7000
package main

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/plba/plba"
	"github.com/plba/plba/workers"
)

type module struct{ listen func() (net.Listener, error) }

func (*module) Name() string { return "example" }

func (m *module) Register(r *plba.Registry) error {
	r.Worker(workers.Listen("greeter", m.serve), plba.Critical())
	return nil
}

func (m *module) serve(ctx context.Context, s *workers.Session) error {
	l, err := m.listen()
	if err != nil {
		return err // the start fails
	}
	var running sync.WaitGroup
	defer running.Wait() // who is here is greeted
	defer l.Close()      // a soft stop: nobody new
	failed := make(chan error, 1)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				failed <- err
				return
			}
			end := s.Begin()
			running.Go(func() { end(greet(ctx, c)) })
		}
	})
	s.Ready()
	select {
	case <-s.Stopping():
	case err = <-failed: // the supervisor starts it again
	}
	return err
}

func greet(ctx context.Context, c net.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })() // a forced stop
	var name string
	if _, err := fmt.Fscanln(c, &name); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c, "hello,", name)
	return err
}

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:7000") }

func main() { plba.Main(&module{listen}, plba.WithoutControlListener()) }
