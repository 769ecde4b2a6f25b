package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
)

// probe is a channel of a test.
type probe struct {
	name    string
	err     error
	journal *[]string
	svc     *control.Service
}

func (p *probe) Name() string { return p.name }

func (p *probe) Start(_ context.Context, svc *control.Service) error {
	*p.journal = append(*p.journal, "start "+p.name)
	p.svc = svc
	return p.err
}

func (p *probe) Stop(context.Context) error {
	*p.journal = append(*p.journal, "stop "+p.name)
	return p.err
}

// Channels of other protocols stand beside HTTP, on the same service.
func TestOtherChannels(t *testing.T) {
	var journal []string
	one := &probe{name: "one", journal: &journal}
	p := planeWith(t, newBot(), nil, control.WithChannel(one))
	for range 2 {
		if err := p.app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := one.svc.PauseWorker("one", control.WorkerRequest{Name: "mail-polling"}); err != nil {
			t.Fatal(err)
		}
		if _, err := p.app.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := one.svc.PauseWorker("one", control.WorkerRequest{Name: "mail-polling"}); !errors.Is(err, control.ErrConflict) {
			t.Errorf("a command to a closed service: %v", err)
		}
	}
	if !slices.Equal(journal, []string{"start one", "stop one", "start one", "stop one"}) {
		t.Errorf("%q", journal)
	}
	// What was asked for is remembered over stops.
	list, _, err := one.svc.Operations(control.OperationFilter{})
	if err != nil || len(list) != 2 {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestChannelThatFails(t *testing.T) {
	var journal []string
	good, bad := &probe{name: "good", journal: &journal}, &probe{name: "bad", err: errors.New("no way"), journal: &journal}
	p := planeWith(t, newBot(), nil, control.WithChannel(good), control.WithChannel(bad))
	if err := p.app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "control channel bad: no way") {
		t.Errorf("%v", err)
	}
	if !slices.Equal(journal, []string{"start good", "start bad", "stop good"}) || p.http.Addr() != "" {
		t.Errorf("%q, %q", journal, p.http.Addr())
	}
	// One whose stop fails is named, and the others are stopped all the same.
	bad.err, journal = nil, nil
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	good.err = errors.New("stuck")
	rec, err := p.app.Stop(t.Context())
	if err == nil || len(rec.Faults) != 1 || !strings.Contains(rec.Faults[0], "control channel good: stuck") {
		t.Errorf("%v %q", err, rec.Faults)
	}
	if !slices.Equal(journal, []string{"start good", "start bad", "stop good", "stop bad"}) {
		t.Errorf("%q", journal)
	}
}

func TestChannelsOfOneName(t *testing.T) {
	var journal []string
	_, err := control.New(control.Config{Listen: "127.0.0.1:0"}, control.WithChannel(&probe{name: "http", journal: &journal}))
	if err == nil || !strings.Contains(err.Error(), `two control channels have the name "http"`) {
		t.Errorf("%v", err)
	}
}

// What is remembered is bounded, and what runs is not forgotten.
func TestOperationsAreBounded(t *testing.T) {
	p := startPlane(t, nil)
	svc := control.NewService(p.app)
	p.bot.holdHandlers(t)
	p.publish(1)
	running, err := svc.StopWorker("test", control.WorkerRequest{Name: "email-processing"})
	if err != nil {
		t.Fatal(err)
	}
	for range 1500 {
		if _, err := svc.PauseWorker("test", control.WorkerRequest{Name: "mail-polling"}); err != nil {
			t.Fatal(err)
		}
	}
	list, next, err := svc.Operations(control.OperationFilter{Limit: 100_000})
	if err != nil || len(list) != 1000 || next != "" || list[999].ID != running.ID || list[999].State != control.OperationRunning {
		t.Errorf("%d, %q, %v", len(list), next, err)
	}
	if _, err := svc.Operation(running.ID); err != nil {
		t.Error(err)
	}
}
