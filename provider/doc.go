// Package provider makes one host of several providers.
package provider
