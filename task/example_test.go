package task_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/task"
)

func ExampleClassify() {
	timeout := errors.New("bank: timeout")
	for _, err := range []error{
		nil,
		timeout,
		task.RetryAfter(time.Minute, timeout),
		task.Permanent(errors.New("order.csv:3: unknown article")),
		errors.Join(task.Drop("a duplicate"), timeout),
	} {
		outcome, wait := task.Classify(err)
		fmt.Println(outcome, wait)
	}
	// Output:
	// done 0s
	// retry 0s
	// retry 1m0s
	// dead 0s
	// retry 0s
}
