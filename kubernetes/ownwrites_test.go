package kubernetes

import (
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestTheNotesOfOwnWritesStaySmall(t *testing.T) {
	t.Parallel()
	var w ownWrites
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Go(func() {
			for i := range 5000 {
				version := strconv.Itoa(2*i + worker + 1)
				w.wrote(configMaps, version)
				w.wrote(services, version)
				w.removed(pods, "web", &metav1.Status{Details: &metav1.StatusDetails{UID: types.UID(version)}})
			}
		})
	}
	wait.Wait()
	all := w.all()
	assert.ElementsMatch(t, []writtenVersion{{"configmaps", "10000"}, {"services", "10000"}}, all.versions)
	assert.Len(t, all.removals, maxRemovals)
	w.forget(all.removals[:maxRemovals-1])
	assert.Len(t, w.all().removals, 1)
}

func TestVersionsGrowByTheirNumber(t *testing.T) {
	t.Parallel()
	assert.True(t, reaches("100", "99"))
	assert.True(t, reaches("100", "100"))
	assert.False(t, reaches("99", "100"))
	assert.False(t, reaches("", "1"), "nothing is known yet")
	assert.False(t, reaches("x", "1"))
}
