package config_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/plba/plba/config"
)

// badText cannot write itself.
type badText struct{}

func (badText) MarshalText() ([]byte, error) { return nil, errors.New("no text today") }

// decodeAs decodes one value as a T and returns what is wrong with it.
func decodeAs[T any](source func(any) config.Source, value any) (T, string) {
	var got struct {
		V T `koanf:"v"`
	}
	c, err := config.Load(source(value))
	if err == nil {
		err = c.Decode("x", &got)
	}
	var fault *config.Fault
	if errors.As(err, &fault) {
		return got.V, fault.Problem
	}
	return got.V, ""
}

func setting(v any) config.Source { return config.Settings(map[string]any{"x.v": v}) }

func variable(v any) config.Source {
	return config.Environment("P", []string{"P_X__V=" + v.(string)})
}

func check[T comparable](t *testing.T, source func(any) config.Source, value any, want T, problem string) {
	t.Helper()
	got, p := decodeAs[T](source, value)
	if p != problem || problem == "" && got != want {
		t.Errorf("%T(%v) as %T: got %v, %q; want %v, %q", value, value, want, got, p, want, problem)
	}
}

func TestScalars(t *testing.T) {
	const big = uint64(math.MaxUint64)
	check[int64](t, setting, int64(math.MinInt64), math.MinInt64, "")
	check[int64](t, setting, uint64(5), 5, "")
	check[int64](t, setting, big, 0, "wants a whole number, got the number 18446744073709551615")
	check[int32](t, setting, big, 0, "wants a whole number from -2147483648 to 2147483647, got the number 18446744073709551615")
	check[int](t, setting, 5*time.Second, 0, "wants a whole number, got the duration 5s")
	check[int](t, setting, true, 0, "wants a whole number, got true")
	check[int](t, setting, 1e30, 0, "wants a whole number, got the number 1e+30")
	check[uint64](t, setting, big, big, "")
	check[uint64](t, setting, 5, 5, "")
	check[uint64](t, setting, -1, 0, "wants a whole number of at least 0, got the number -1")
	check[uint8](t, setting, uint64(256), 0, "wants a whole number from 0 to 255, got the number 256")
	check[float64](t, setting, big, float64(big), "")
	check[float64](t, setting, math.Inf(1), math.Inf(1), "")
	check[float32](t, setting, 1e300, 0, "wants a number, got the number 1e+300")
	check[float64](t, setting, false, 0, "wants a number, got false")
	check[bool](t, setting, 1, false, "wants true or false, got the number 1")
	check[string](t, setting, false, "", "wants text, got false")
	check[string](t, setting, time.Second, "", "wants text, got the duration 1s")
	check[string](t, setting, badText{}, "", "a value of type config_test.badText cannot be a setting: no text today")
	check[string](t, setting, map[string]any{"a": func() {}}, "", "a value of type func() cannot be a setting")
	check[time.Duration](t, setting, time.Minute, time.Minute, "")
	check[time.Duration](t, setting, "1m", time.Minute, "")
	check[time.Duration](t, setting, true, 0, `wants a duration such as "30s" or "5m", got true`)
	check[time.Duration](t, setting, 1.5, 0, "wants a duration with its unit, got the number 1.5 without one")

	check[uint64](t, variable, "18446744073709551615", big, "")
	check[int64](t, variable, "18446744073709551616", 0, `wants a whole number, got the text "18446744073709551616"`)
	check[int](t, variable, "0x10", 0, `wants a whole number, got the text "0x10"`)
	check[int](t, variable, "", 0, `wants a whole number, got the text ""`)
	check[float64](t, variable, "1e3", 1000, "")
	check[float64](t, variable, "NaN", 0, "wants a number, got the number NaN")
	check[bool](t, variable, "FALSE", false, "")
	check[time.Duration](t, variable, "0", 0, "")
	check[string](t, variable, " kept ", " kept ", "")
}

func TestLongTextsAreCut(t *testing.T) {
	long := ""
	for range 30 {
		long += "äöü"
	}
	_, problem := decodeAs[int](setting, long)
	if want := `wants a whole number, got the text "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü…"`; problem != want {
		t.Errorf("got %s, want %s", problem, want)
	}
}

type secretDuration struct {
	V time.Duration `koanf:"v" secret:"true"`
}

func TestSecretDuration(t *testing.T) {
	for value, want := range map[any]string{
		"4711x": `setting "x.v": x.v: wants a duration such as "30s" or "5m", got a text`,
		"4711":  `setting "x.v": x.v: wants a duration such as "30s" or "5m", got a text`,
		4711:    `setting "x.v": x.v: wants a duration with its unit, got a number without one`,
	} {
		c, err := config.Load(setting(value))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := config.Section[secretDuration](c, "x"); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
