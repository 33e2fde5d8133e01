package conformance_test

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/fake"
	"skillcenter.io/hosting/internal/reference"
	"skillcenter.io/hosting/provider/conformance"
)

// harness runs the suite in virtual time.
func harness(provider func() hosting.CloudHostingProvider) conformance.Harness {
	return conformance.Harness{
		Provider:  func(*testing.T) hosting.CloudHostingProvider { return provider() },
		Container: reference.Container,
		Wrap:      func(t *testing.T, run func(*testing.T)) { synctest.Test(t, run) },
	}
}

func TestFakeConforms(t *testing.T) {
	conformance.Run(t, harness(func() hosting.CloudHostingProvider { return reference.New() }))
}

func TestCapabilityTable(t *testing.T) {
	table, err := conformance.CapabilityTable(t.Context(), fake.New(fake.WithInstanceTypes("deployment", "job")))
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := conformance.CapabilityTable(t.Context(), fake.New(fake.WithInstanceTypes("deployment", "job"))); again != table {
		t.Errorf("the table is %s\nand then %s", table, again)
	}
	if !strings.HasPrefix(table, "| capability | deployment | job |\n|---|---|---|\n| stop | yes") {
		t.Errorf("the table begins %.200q", table)
	}
	for _, c := range hosting.AllCapabilities() {
		if strings.Count(table, "\n| "+string(c)+" | ") != 1 {
			t.Errorf("the table has not one row of %s:\n%s", c, table)
		}
	}
	if _, err := conformance.CapabilityTable(t.Context(), hosting.UnimplementedProvider{}); err == nil {
		t.Error("no error for a provider without regions and types")
	}
	if os.Getenv("CONFORMANCE_PRINT") != "" {
		t.Log("\n" + table)
	}
}
