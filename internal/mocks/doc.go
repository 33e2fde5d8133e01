// Package mocks holds golang/mock mocks of the two protocol interfaces, for
// tests of what happens when a provider or an adapter fails.
//
// The optional abilities are not mocked: golang/mock cannot write methods that
// return an iter.Seq2.
package mocks

//go:generate go run github.com/golang/mock/mockgen@v1.6.0 -destination mocks.go -package mocks -self_package skillcenter.io/hosting/internal/mocks skillcenter.io/hosting CloudHostingProvider,HostingExtensionSdkAdapter
