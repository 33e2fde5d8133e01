package kubernetes

import "time"

// lagMeter finds out when a kubelet may have skipped a whole file. It does when
// a log is rotated twice while it waits for a slow reader. Rotations are at
// least three seconds apart, so the reader must be seconds late, and the
// times of two lines seconds apart.
type lagMeter struct {
	offset int64 // from when a line was written to when it came, if nobody is late: transport, and clocks that differ
	opened int64 // older lines are not late
	last   int64 // the time of the last line
	late   int64 // how late it came
	idle   bool  // the reader has waited for the next line: it is on time
}

const (
	lagSuspect = int64(2500 * time.Millisecond)
	// lagUnknown is how far clocks may differ while it is not known.
	lagUnknown = int64(time.Second)
	// lagIdle is how long a reader waits that is not late.
	lagIdle = 100 * time.Millisecond
)

func newLagMeter() lagMeter { return lagMeter{offset: lagUnknown} }

// open begins a connection.
func (m *lagMeter) open(at time.Time) {
	m.opened, m.last, m.late, m.idle = at.UnixNano(), 0, 0, false
}

// waited tells how long the reader has waited for the next line.
func (m *lagMeter) waited(d time.Duration) { m.idle = d >= lagIdle }

// jumped takes in a line, and tells that others may be missing before it.
func (m *lagMeter) jumped(at, arrived int64) bool {
	suspect := m.last != 0 && m.late >= lagSuspect && at-m.last >= lagSuspect
	if m.idle && m.last != 0 {
		m.offset = arrived - at
	}
	m.offset = min(m.offset, arrived-at)
	m.last, m.late, m.idle = at, arrived-max(at+m.offset, m.opened), false
	return suspect
}
