package hosting

import (
	"fmt"
	"strings"
)

// MaxNameLength is how long an instance name may be: it leaves room for what
// platforms append to it to name replicas.
const MaxNameLength = 50

// ID is the parsed form of an instance id. The same grammar serves volumes,
// services and policies, whose Type is "volume", "service" and "policy".
//
// An id is derived from what was created and where, never generated, so any
// process can work it out.
type ID struct {
	// Provider is the configured name of the provider; empty in the ids of a
	// provider that is used alone.
	Provider string
	// Region is the region's key: a DNS label.
	Region string
	// Type is the instance type: lower-case letters and digits.
	Type string
	// Name is a DNS-1035 label of at most [MaxNameLength] characters.
	Name string
}

// String returns "<region>.<type>.<name>", with "<provider>:" before it if the
// provider is set.
func (id ID) String() string {
	text := id.Region + "." + id.Type + "." + id.Name
	if id.Provider != "" {
		text = id.Provider + ":" + text
	}
	return text
}

// ParseID reads what [ID.String] writes. The error says which part is wrong
// and what is allowed.
func ParseID(text string) (ID, error) {
	var id ID
	rest := text
	if provider, after, found := strings.Cut(text, ":"); found {
		if err := checkLabel("provider", provider); err != nil {
			return ID{}, fmt.Errorf("id %.300q: %w", text, err)
		}
		id.Provider, rest = provider, after
	}
	parts := strings.Split(rest, ".")
	if len(parts) != 3 {
		return ID{}, fmt.Errorf("id %.300q: want [<provider>:]<region>.<type>.<name>", text)
	}
	id.Region, id.Type, id.Name = parts[0], parts[1], parts[2]
	for _, err := range []error{checkLabel("region", id.Region), checkType(id.Type), checkName(id.Name)} {
		if err != nil {
			return ID{}, fmt.Errorf("id %.300q: %w", text, err)
		}
	}
	return id, nil
}

// checkName accepts DNS-1035 labels of at most MaxNameLength characters: they
// can name every kind of object, Services included.
func checkName(name string) error {
	if len(name) > MaxNameLength || !isLabel(name) || name[0] < 'a' {
		return FieldError{"name", name, fmt.Sprintf("a lower-case letter, then letters, digits and '-', not ending in '-', at most %d characters", MaxNameLength)}
	}
	return nil
}

// checkLabel accepts DNS-1123 labels, so never one with a dot.
func checkLabel(field, label string) error {
	if !isLabel(label) {
		return FieldError{field, label, "lower-case letters, digits and '-' inside, at most 63 characters"}
	}
	return nil
}

func checkType(instanceType string) error {
	if !isLabel(instanceType) || strings.Contains(instanceType, "-") || instanceType[0] < 'a' {
		return FieldError{"type", instanceType, "a lower-case letter, then letters and digits, at most 63 characters"}
	}
	return nil
}

// isLabel tells whether s is a DNS-1123 label.
func isLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
