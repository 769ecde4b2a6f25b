package queuetest

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// recorder is a runner whose failures can be looked at.
type recorder struct {
	ctx  context.Context
	name string
	log  *failureLog
}

// failureLog collects what failed, and which tests ran.
type failureLog struct {
	mu       sync.Mutex
	failures []string
	ran      int
}

func (l *failureLog) failed(test string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.failures {
		if strings.HasPrefix(f, test) {
			return true
		}
	}
	return false
}

func newRecorder(t *testing.T) (*recorder, *failureLog) {
	log := &failureLog{}
	return &recorder{ctx: t.Context(), log: log}, log
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Logf(string, ...any)      {}

func (r *recorder) Errorf(format string, args ...any) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	r.log.failures = append(r.log.failures, r.name+": "+fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) group(name string, f func(runner)) { f(r.below(name)) }

func (r *recorder) single(name string, f func(runner)) {
	below := r.below(name)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r.log.mu.Lock()
		r.log.ran++
		r.log.mu.Unlock()
		f(below)
	}()
	<-finished
}

func (r *recorder) below(name string) *recorder {
	return &recorder{ctx: r.ctx, name: strings.TrimPrefix(r.name+"/"+name, "/"), log: r.log}
}
