package control

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/plba/plba/config"
	"github.com/plba/plba/runtime"
)

const askedReload = "reloadConfiguration"

// ReloadReceipt says what came of a reload of the configuration: which settings, and where they stand, never what they are.
type ReloadReceipt struct {
	Changed []Setting `json:"changed"` // have changed and are in effect
	Restart []Setting `json:"restart"` // are not what the process was started with, and stay without effect until it is started anew
}

// Setting is one key of the configuration.
type Setting struct {
	Key     string `json:"key"`
	Where   string `json:"where,omitempty"`   // "cfg.yaml:3"; of one that is removed, where it was
	Removed bool   `json:"removed,omitempty"` // it is not set any more
}

// Reload reads the configuration again, in the background, and puts into effect what can change in a running process, or nothing when there is a fault
// anywhere. It applies in every state of the runtime, but only one at a time: it is a conflict while another one that was asked for goes on. by names who asks, reason may be
// empty.
func (s *Service) Reload(by, reason string) (Operation, error) {
	if err := validateReason(reason); err != nil {
		return Operation{}, err
	}
	s.commands.Lock()
	defer s.commands.Unlock()
	if id := s.running(askedReload); id != "" {
		return Operation{}, &Error{
			Kind: ErrConflict, State: "reloading", Detail: fmt.Sprintf("the configuration is being reloaded already (operation %s); ask again when that is over", id),
		}
	}
	began := func() bool { return true }
	return s.launch(Operation{Asked: askedReload, By: by, Reason: reason}, began, func(ctx context.Context) (func(*Operation), error) {
		done, err := s.app.Reload(ctx)
		if err != nil {
			return nil, placesOf(err)
		}
		receipt := &ReloadReceipt{settingsOf(done.Changed), settingsOf(done.Restart)}
		return func(o *Operation) { o.Reloaded = receipt }, nil
	})
}

// running gives the ID of an operation of that kind that goes on, or "".
func (s *Service) running(asked string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.operations {
		if u.operation.Asked == asked && u.operation.State == OperationRunning {
			return u.operation.ID
		}
	}
	return ""
}

func settingsOf(changes []config.Change) []Setting {
	list := make([]Setting, len(changes))
	for i, c := range changes {
		list[i] = Setting{c.Key, c.Where, c.Removed}
	}
	return list
}

// maxPlaces bounds how many faults an operation names.
const maxPlaces = 10

// placesOf tells where the faults of a configuration are. What is set there stays in the log: whoever may look at operations may not read the configuration.
func placesOf(err error) error {
	var refused *runtime.ReloadError
	if !errors.As(err, &refused) {
		return err
	}
	var places []string
	for _, fault := range refused.Faults {
		places = append(places, placeOf(fault))
	}
	if n := len(places); n > maxPlaces {
		places = append(places[:maxPlaces], fmt.Sprintf("and %d more", n-maxPlaces))
	}
	return fmt.Errorf("the configuration is not reloaded and everything stays as it was; the log of the application says what is wrong at: %s", strings.Join(places, ", "))
}

func placeOf(err error) string {
	var fault *config.Fault
	if !errors.As(err, &fault) {
		return "a place that the log names"
	}
	return strings.TrimSpace(fault.Where + " " + fault.Key)
}
