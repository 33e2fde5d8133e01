package provider

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-multierror"

	"skillcenter.io/hosting"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// File and Line are where it stands; Line is 0 if it stands nowhere, such
	// as a key that is missing.
	File string
	Line int
	// Key is the path of the key, such as "hosting.kubernetes.namespace".
	Key string
	// Err says what is wrong and what is allowed.
	Err error
}

// Error returns file, line, key and what is wrong in one line.
func (p Problem) Error() string {
	var text strings.Builder
	if p.File != "" {
		text.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&text, "%d:", p.Line)
		}
		text.WriteString(" ")
	}
	if p.Key != "" {
		text.WriteString(p.Key + ": ")
	}
	text.WriteString(p.Err.Error())
	return text.String()
}

// Unwrap returns what is wrong.
func (p Problem) Unwrap() error { return p.Err }

// Problems are all that is wrong with a configuration, in the order of its
// lines. The error of [LoadConfig], and that of [Open] about a configuration,
// has them in it; find them with [errors.As].
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the problems.
func (p Problems) Unwrap() []error {
	errs := make([]error, len(p))
	for i, problem := range p {
		errs[i] = problem
	}
	return errs
}

// failure makes one error of several, which are problems of the configuration
// or something else that went wrong while it was read or opened. It is nil for
// none.
func failure(errs ...error) error {
	problems, others := sift(errs)
	if len(problems) == 0 && len(others) == 0 {
		return nil
	}
	slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	if len(others) == 0 {
		what := ""
		if len(problems) > 1 {
			what = fmt.Sprintf("%d problems:\n", len(problems))
		}
		return hosting.Errorf("", hosting.InvalidConfig, hosting.InvalidArgument, "%s%w", what, problems)
	}
	if len(problems) == 0 && len(others) == 1 {
		return others[0]
	}
	all := &multierror.Error{ErrorFormat: func(errs []error) string {
		lines := make([]string, len(errs))
		for i, err := range errs {
			lines[i] = err.Error()
		}
		return strings.Join(lines, "\n")
	}}
	reason := hosting.ReasonOf(others[0])
	if len(problems) > 0 {
		all, reason = multierror.Append(all, problems), hosting.InvalidArgument
	}
	all = multierror.Append(all, others...)
	return hosting.Errorf("", hosting.InvalidConfig, reason, "several failures:\n%w", all)
}

// sift separates the problems of the configuration in errs, however they were
// joined, from everything else.
func sift(errs []error) (problems Problems, others []error) {
	for _, err := range errs {
		switch e := err.(type) {
		case nil:
		case Problem:
			problems = append(problems, e)
		case Problems:
			problems = append(problems, e...)
		case interface{ Unwrap() []error }:
			p, o := sift(e.Unwrap())
			problems, others = append(problems, p...), append(others, o...)
		case *multierror.Error:
			p, o := sift(e.Errors)
			problems, others = append(problems, p...), append(others, o...)
		default:
			others = append(others, err)
		}
	}
	return problems, others
}
