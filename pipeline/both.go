package pipeline

import "context"

// Both runs a and b at once on the same value and merges what they give. The first error cancels the context of
// the other (cause: that error), which is waited for, and is the stage's error; a branch that drops the value
// ends the stage in the same way. merge runs when both have succeeded.
//
// Branches run on goroutines of their own: what they share through the value must be safe for concurrent use, and
// runtime.Goexit in a branch is an error of it (ErrGoexit). They need different names.
func Both[In, A, B, Out any](
	name string, a Stage[In, A], b Stage[In, B],
	merge func(ctx context.Context, in In, a A, b B) (Out, error),
) *Step[In, Out] {
	n := newNode[In, Out](kindBoth, name)
	body := &both[In, A, B, Out]{branchOf(n, a, "its first branch"), branchOf(n, b, "its second branch"), merge}
	if merge == nil {
		n.fault("its merge function is nil")
	}
	return newStep(n, body)
}

type both[In, A, B, Out any] struct {
	a     branch[In, A]
	b     branch[In, B]
	merge func(context.Context, In, A, B) (Out, error)
}

func (s *both[In, A, B, Out]) run(ctx context.Context, r run, in *In, out *Out) (err error) {
	all := beside(ctx, r, 2)
	a, b := s.a.begin(all, in), s.b.begin(all, in)
	if err = all.wait(); err != nil {
		return err
	}
	*out, err = s.merge(ctx, *in, *a, *b)
	return err
}

func (s *both[In, A, B, Out]) place(at site) body[In, Out] {
	return &both[In, A, B, Out]{s.a.place(at), s.b.place(at), s.merge}
}

// All3 is Both with three branches: the first error cancels the others.
func All3[In, A, B, C, Out any](
	name string, a Stage[In, A], b Stage[In, B], c Stage[In, C],
	merge func(ctx context.Context, in In, a A, b B, c C) (Out, error),
) *Step[In, Out] {
	n := newNode[In, Out](kindAll, name)
	body := &all3[In, A, B, C, Out]{
		branchOf(n, a, "its first branch"), branchOf(n, b, "its second branch"), branchOf(n, c, "its third branch"), merge,
	}
	if merge == nil {
		n.fault("its merge function is nil")
	}
	return newStep(n, body)
}

type all3[In, A, B, C, Out any] struct {
	a     branch[In, A]
	b     branch[In, B]
	c     branch[In, C]
	merge func(context.Context, In, A, B, C) (Out, error)
}

func (s *all3[In, A, B, C, Out]) run(ctx context.Context, r run, in *In, out *Out) (err error) {
	all := beside(ctx, r, 3)
	a, b, c := s.a.begin(all, in), s.b.begin(all, in), s.c.begin(all, in)
	if err = all.wait(); err != nil {
		return err
	}
	*out, err = s.merge(ctx, *in, *a, *b, *c)
	return err
}

func (s *all3[In, A, B, C, Out]) place(at site) body[In, Out] {
	return &all3[In, A, B, C, Out]{s.a.place(at), s.b.place(at), s.c.place(at), s.merge}
}

// All4 is Both with four branches: the first error cancels the others.
func All4[In, A, B, C, D, Out any](
	name string, a Stage[In, A], b Stage[In, B], c Stage[In, C], d Stage[In, D],
	merge func(ctx context.Context, in In, a A, b B, c C, d D) (Out, error),
) *Step[In, Out] {
	n := newNode[In, Out](kindAll, name)
	body := &all4[In, A, B, C, D, Out]{
		branchOf(n, a, "its first branch"), branchOf(n, b, "its second branch"),
		branchOf(n, c, "its third branch"), branchOf(n, d, "its fourth branch"), merge,
	}
	if merge == nil {
		n.fault("its merge function is nil")
	}
	return newStep(n, body)
}

type all4[In, A, B, C, D, Out any] struct {
	a     branch[In, A]
	b     branch[In, B]
	c     branch[In, C]
	d     branch[In, D]
	merge func(context.Context, In, A, B, C, D) (Out, error)
}

func (s *all4[In, A, B, C, D, Out]) run(ctx context.Context, r run, in *In, out *Out) (err error) {
	all := beside(ctx, r, 4)
	a, b, c, d := s.a.begin(all, in), s.b.begin(all, in), s.c.begin(all, in), s.d.begin(all, in)
	if err = all.wait(); err != nil {
		return err
	}
	*out, err = s.merge(ctx, *in, *a, *b, *c, *d)
	return err
}

func (s *all4[In, A, B, C, D, Out]) place(at site) body[In, Out] {
	return &all4[In, A, B, C, D, Out]{s.a.place(at), s.b.place(at), s.c.place(at), s.d.place(at), s.merge}
}
