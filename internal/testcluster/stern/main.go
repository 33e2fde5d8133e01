// Command stern is the unmodified stern, which the benchmark of following logs
// runs beside the provider. It has a module of its own because nobody who
// imports the SDK needs it.
package main

import (
	"fmt"
	"os"

	"github.com/stern/stern/cmd"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

func main() {
	stern, err := cmd.NewSternCmd(genericclioptions.IOStreams{Out: os.Stdout, ErrOut: os.Stderr})
	if err == nil {
		err = stern.Execute()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stern:", err)
		os.Exit(1)
	}
}
