package volume

import (
	"errors"
	"fmt"

	"skillcenter.io/hosting"
)

func refuse(reason hosting.Reason, format string, args ...any) *hosting.Error {
	return hosting.Errorf("", "", reason, format, args...)
}

// at says where in a configuration an error is about. It has no code: that is
// the one of the call that was given the configuration.
func at(field string, err error) error {
	var known *hosting.Error
	if !errors.As(err, &known) {
		return fmt.Errorf("%s: %w", field, err)
	}
	return refuse(known.Reason, "%s: %s", field, known.Message)
}

func quoted(text string) string { return fmt.Sprintf("%q", text) }

func atLeast(size int64) string {
	return fmt.Sprintf("%d bytes or more: a volume does not shrink", size)
}
