// Package provider puts providers together: several behind one interface
// ([NewRouter]), with logs of their calls ([Observe]), and with what the
// protocol offers beyond running instances ([NewExtension]).
package provider
