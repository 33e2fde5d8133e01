package discovery

// Kept is how many services a Transport remembers.
func (t *Transport) Kept() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.callers)
}

// HealthOf is how a Balancer checks a service.
var HealthOf = healthOf
