// Package discovery finds the replicas of a service by its name, and spreads
// requests over them.
//
// [Transport] is an [http.RoundTripper] for programs that call a skill by the
// name of its service, as in http://orders/today. [Balancer] gives the addresses
// alone, for other protocols. Both work with any [hosting.ServiceDiscovery].
// They start no goroutine outside their Run methods, and need no Run: it keeps
// addresses fresh before they are asked for, and checks their health.
//
// The rest are the rules that all providers share; programs do not need them.
package discovery
