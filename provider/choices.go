package provider

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"skillcenter.io/hosting"
)

var (
	storeTypes    = []string{StoreMemory, StoreFile, StoreProvider}
	billingCycles = []string{"second", "hourly", "daily", "monthly"}
	currencyCode  = regexp.MustCompile(`^[A-Z]{3}$`)

	settingsType         = reflect.TypeFor[settings]()
	providerSettingsType = reflect.TypeFor[providerSettings]()
)

func reflectOf(pointer any) reflect.Value { return reflect.ValueOf(pointer).Elem() }

// These are texts of which only some are allowed.
type (
	storeType    string
	billingCycle string
	currency     string
)

func (s *storeType) UnmarshalText(text []byte) error { return choose(s, text, storeTypes) }

func (b *billingCycle) UnmarshalText(text []byte) error { return choose(b, text, billingCycles) }

func (c *currency) UnmarshalText(text []byte) error {
	if !currencyCode.Match(text) {
		return hosting.FieldError{Value: string(text), Allowed: "a code of ISO 4217: three capital letters, such as CNY"}
	}
	*c = currency(text)
	return nil
}

func choose[T ~string](into *T, text []byte, choices []string) error {
	if !slices.Contains(choices, string(text)) {
		return hosting.FieldError{Value: string(text), Allowed: strings.Join(choices, ", ")}
	}
	*into = T(text)
	return nil
}
