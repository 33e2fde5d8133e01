package conformance_test

import (
	"encoding/json"
	"errors"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/internal/reference"
)

// full is the reference with what the defects need to spoil it.
type full struct{ reference.Provider }

func newFull() full { return full{reference.New()} }

// copy returns what is left of a configuration after JSON.
func (p full) copy(original config) (copied config) {
	data, err := json.Marshal(original)
	if err == nil {
		err = json.Unmarshal(data, &copied)
	}
	if err != nil {
		panic(err)
	}
	return copied
}

// as gives an error the code of another operation.
func as(err error, code hosting.Code) error {
	var failure *hosting.Error
	if errors.As(err, &failure) && failure.Code != hosting.InstanceNotFound {
		changed := *failure
		changed.Code = code
		return &changed
	}
	return err
}

func (p full) failure(code hosting.Code, reason hosting.Reason, message string) error {
	return &hosting.Error{Provider: p.ProviderName(), Code: code, Reason: reason, Message: message}
}
