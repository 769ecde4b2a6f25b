package modeltest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// policies are what stands around a stage. The zero value of each is none.
type policies struct {
	order       []int // in which the methods are called, which must not matter
	attempts    int
	pause       time.Duration // after the n-th attempt n times that
	retryIf     string        // a question
	permanentIf string        // a question
	timeout     time.Duration
	limit       int
	rate        float64 // per second
	burst       int
	failures    int // of the breaker
	outOf       int
	closed      time.Duration // its pause
	fallback    *deed
	keep        string // checkpoint, undo
	undo        *deed
}

// The questions that a RetryIf or a PermanentIf asks.
var questions = []string{"away", "no", "panic"}

func answer(question string, err error) bool {
	if question == "panic" {
		panic("out of paper")
	}
	return question == "away" && errors.Is(err, errAway)
}

// answered is the interpreter's answer, or the failure of the one who asks.
func answered(question string, f *failure) (bool, *failure) {
	if question == "panic" {
		return false, panicked()
	}
	return question == "away" && slices.Contains(f.is, any(errAway)), nil
}

// dress puts the policies on a real stage. seen makes a number of its input, stands what its fallback gives of that.
func dress[In, Out any](s *pipeline.Step[In, Out], p *policies, w *world, seen func(In) int, stands func(int) Out) *pipeline.Step[In, Out] {
	put := []func(){
		func() {
			if p.attempts > 0 {
				s = s.Retry(p.attempts, func(n int) time.Duration { return time.Duration(n) * p.pause })
			}
		},
		func() {
			if p.retryIf != "" {
				s = s.RetryIf(func(err error) bool { return answer(p.retryIf, err) })
			}
		},
		func() {
			if p.permanentIf != "" {
				s = s.PermanentIf(func(err error) bool { return answer(p.permanentIf, err) })
			}
		},
		func() {
			if p.timeout > 0 {
				s = s.Timeout(p.timeout)
			}
		},
		func() {
			if p.limit > 0 {
				s = s.Limit(p.limit)
			}
		},
		func() {
			if p.rate > 0 {
				s = s.Rate(p.rate, p.burst)
			}
		},
		func() {
			if p.failures > 0 {
				s = s.Breaker(p.failures, p.closed, pipeline.OutOf(p.outOf))
			}
		},
		func() {
			if p.fallback != nil {
				s = s.Fallback(func(ctx context.Context, in In, _ error) (Out, error) {
					return stands(seen(in)), p.fallback.do(ctx, w, task.Key(ctx)+"~fallback", seen(in))
				})
			}
		},
		func() {
			switch p.keep {
			case "checkpoint":
				s = s.Checkpoint()
			case "undo":
				s = s.Compensate(func(ctx context.Context, in In, _ Out, _ error) error {
					return p.undo.do(ctx, w, task.Key(ctx), seen(in))
				})
			}
		},
	}
	for _, i := range p.order {
		put[i]()
	}
	return s
}

// layered interprets a stage whose function, or what is inside of it, is the body.
func layered[Out any](r *reader, p *policies, path string, v int, stands func(int) Out, body func(*reader) (Out, *failure)) (out Out, f *failure) {
	if p == nil {
		p = &policies{}
	}
	if k, ok := r.kept(path); ok {
		r.saw("acted: resumed")
		return k.out.(Out), nil
	}
	n := 1
	f = r.passed(path, func() (f *failure) {
		n, f = r.attempts(p, func(r *reader) (f *failure) {
			out, f = body(r)
			return f
		})
		if !r.falls(p, f) {
			return f
		}
		if failed := r.undo(path+"/", f); failed != nil {
			return failed
		}
		own := p.fallback.play(r, r.key(path)+"~fallback", v)
		if own != nil && !own.exit {
			own = own.covering(f, "fallback: "+own.text+"; after: "+f.text)
		}
		out = stands(v)
		return own
	})
	if f != nil {
		return *new(Out), r.located(path, n, f)
	}
	if p.keep != "" {
		r.keep(path, v, out, p)
	}
	return out, nil
}

// falls says whether the fallback is asked.
func (r *reader) falls(p *policies, f *failure) bool {
	if f == nil || f.exit || p.fallback == nil || f.outcome != task.Retry && f.outcome != task.Dead || r.ended() != nil {
		return false
	}
	r.saw("acted: fallback")
	return true
}

// attempts makes attempts until one succeeds or there may be no more.
func (r *reader) attempts(p *policies, once func(*reader) *failure) (n int, f *failure) {
	for n = 1; ; n++ {
		f = r.admitted(p, once)
		if f == nil || n >= p.attempts || !f.retryable() {
			return n, f
		}
		if p.retryIf != "" {
			again, fault := answered(p.retryIf, f)
			if fault != nil {
				return n, fault
			}
			if !again {
				r.saw("acted: retry if")
				return n, f
			}
		}
		end := r.ended()
		if end == nil {
			end = r.pass(time.Duration(n)*p.pause, true)
		}
		if end != nil {
			r.saw("acted: retry cut short")
			why := end.interrupted()
			return n, f.covering(why, f.text+"; not tried again: "+why.text)
		}
		r.saw("acted: retry")
	}
}

// admitted makes an attempt when breaker and rate let it in.
func (r *reader) admitted(p *policies, once func(*reader) *failure) (f *failure) {
	if p.failures > 0 {
		c, refused := r.circuit(p)
		if refused {
			r.saw("acted: breaker")
			return &failure{text: "circuit breaker open", outcome: task.Retry, wait: true, is: []any{&identity{}}}
		}
		defer func() { r.breakers[p] = c.after(r, p, f) }()
	}
	if p.rate > 0 {
		if end := r.take(p); end != nil {
			return end.interrupted()
		}
	}
	f = r.timed(p, once)
	if f == nil || f.exit || p.permanentIf == "" || f.outcome != task.Retry || r.ended() != nil {
		return f
	}
	yes, fault := answered(p.permanentIf, f)
	switch {
	case fault != nil:
		return fault
	case yes:
		r.saw("acted: permanent if")
		f = f.wrapped(f.text)
		f.outcome, f.wait = task.Dead, false
	}
	return f
}

// timed makes an attempt within its timeout.
func (r *reader) timed(p *policies, once func(*reader) *failure) *failure {
	if p.timeout == 0 {
		return once(r)
	}
	text := "timed out after " + p.timeout.String()
	late := &failure{text: text, outcome: task.Retry, is: []any{deadline, &identity{}}}
	ctx := &scope{around: r.ctx, at: r.now() + p.timeout, kind: deadline, cause: late}
	inside := r.within(ctx)
	f := once(inside)
	end := inside.ended()
	if f == late || f != nil && f.exit || end == nil || end.of != ctx {
		return f
	}
	r.saw("acted: timeout")
	if f == nil || f.drops() {
		return &failure{text: text, outcome: task.Retry, is: []any{deadline, &identity{}}}
	}
	if !f.bare || f.is[0] != any(deadline) {
		text += ": " + f.text
	}
	f = f.wrapped(text)
	f.is = append([]any{deadline}, f.is...)
	return f
}
