package driver

import (
	"math"
	"math/big"
	"strings"
	"time"

	"skillcenter.io/hosting"
)

// CPU is a number of cores, as people write it: "0.5", "2", or "500m" in
// thousandths.
type CPU float64

const cpuAllowed = "cores, such as 0.5, 2, or 500m (thousandths)"

// UnmarshalText reads a number of cores. The error is a [hosting.FieldError].
func (c *CPU) UnmarshalText(text []byte) error {
	number, unit := splitUnit(string(text))
	value, ok := decimal(number)
	switch {
	case ok && unit == "m":
		value.Quo(value, big.NewRat(1000, 1))
	case !ok || unit != "":
		return notAllowed(text, cpuAllowed)
	}
	cores, _ := value.Float64()
	*c = CPU(cores)
	return nil
}

// Bytes is a number of bytes, as people write it: "1048576", "512Mi", "1.5Gi",
// or "500M" in powers of ten.
type Bytes int64

const bytesAllowed = "bytes, such as 1048576, 512Mi, 1.5Gi (powers of 1024: Ki, Mi, Gi, Ti, Pi) or 500M (powers of 1000: k, M, G, T, P)"

var bytesUnits = map[string]int64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
}

// UnmarshalText reads a number of bytes, which is whole. The error is a
// [hosting.FieldError].
func (b *Bytes) UnmarshalText(text []byte) error {
	number, unit := splitUnit(string(text))
	value, ok := decimal(number)
	size, known := bytesUnits[unit]
	if !ok || !known {
		return notAllowed(text, bytesAllowed)
	}
	value.Mul(value, big.NewRat(size, 1))
	if !value.IsInt() || !value.Num().IsInt64() {
		return notAllowed(text, bytesAllowed)
	}
	*b = Bytes(value.Num().Int64())
	return nil
}

// Duration is a length of time, as people write it: a number of milliseconds,
// as everywhere in the protocol, or with units: "7d", "60s", "1h30m", "250ms".
type Duration time.Duration

const durationAllowed = "milliseconds, such as 60000, or with units, such as 7d, 12h, 1h30m, 60s or 250ms"

var durationUnits = map[string]time.Duration{
	"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second, "ms": time.Millisecond,
}

// UnmarshalText reads a length of time, which is not negative. The error is a
// [hosting.FieldError].
func (d *Duration) UnmarshalText(text []byte) error {
	total, previous := new(big.Rat), time.Duration(math.MaxInt64)
	for rest := string(text); ; {
		number, after := splitUnit(rest)
		unit := after[:letters(after)]
		rest = after[len(unit):]
		value, ok := decimal(number)
		size, known := durationUnits[unit]
		if unit == "" && len(number) == len(text) {
			size, known = time.Millisecond, true
		}
		// Each unit once, the larger ones first.
		if !ok || !known || size >= previous {
			return notAllowed(text, durationAllowed)
		}
		previous = size
		total.Add(total, value.Mul(value, big.NewRat(int64(size), 1)))
		if rest == "" {
			break
		}
	}
	if !total.IsInt() || !total.Num().IsInt64() {
		return notAllowed(text, durationAllowed)
	}
	*d = Duration(total.Num().Int64())
	return nil
}

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }

func notAllowed(text []byte, allowed string) error {
	return hosting.FieldError{Value: string(text), Allowed: allowed}
}

// splitUnit cuts text behind its leading number.
func splitUnit(text string) (number, unit string) {
	number = strings.TrimLeft(text, "0123456789.")
	number = text[:len(text)-len(number)]
	return number, text[len(number):]
}

func letters(text string) int {
	return len(text) - len(strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz"))
}

// decimal reads digits with at most one point among them. It is exact.
func decimal(text string) (*big.Rat, bool) {
	// A float64 holds no more than 17 digits, an int64 no more than 19.
	if len(text) > 24 || text == "" || strings.HasPrefix(text, ".") || strings.HasSuffix(text, ".") {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}
