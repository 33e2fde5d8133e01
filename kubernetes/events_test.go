package kubernetes

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"skillcenter.io/hosting"
)

func TestEventsOfOtherInstancesAreLeftOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		instanceType string
		controllers  []string
		ours, others []string
	}{
		{hosting.TypeDeployment, []string{"web-7d9f8c6b5d"},
			[]string{"Deployment/web", "ReplicaSet/web-7d9f8c6b5d", "Pod/web-7d9f8c6b5d-abcde", "Service/web", "ConfigMap/skill-web"},
			[]string{"Deployment/web-2", "Pod/web-2-7d9f8c6b5d-abcde", "Pod/web-0", "StatefulSet/web", "ReplicaSet/web-2-7d9f8c6b5d"}},
		{hosting.TypeStatefulSet, nil, []string{"StatefulSet/web", "Pod/web-0", "Pod/web-12"}, []string{"Pod/web-a", "Pod/web-2-0", "Pod/web2-0"}},
		{hosting.TypeDaemonSet, nil, []string{"Pod/web-x7k2p"}, []string{"Pod/web-2-x7k2p", "Pod/web-0"}},
		{hosting.TypeJob, nil, []string{"Job/web", "Pod/web-0-x7k2p"}, []string{"Pod/web-2-0-x7k2p"}},
		{hosting.TypeCronJob, []string{"web-29387520"}, []string{"CronJob/web", "Job/web-29387520", "Pod/web-29387520-0-x7k2p"}, []string{"Job/web-2", "Pod/web-2-0-x7k2p"}},
	} {
		t.Run(test.instanceType, func(t *testing.T) {
			t.Parallel()
			a := &anchor{ConfigMap: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "skill-web", CreationTimestamp: metav1.NewTime(testNow)}}}
			a.record.Desired.Spec.Ports = []int{80}
			filter := newEventFilter(target{kind: kinds[test.instanceType], name: "web"}, a, test.controllers)
			for _, about := range test.ours {
				assert.True(t, filter.matches(testEvent(about, testNow)), about)
				assert.False(t, filter.matches(testEvent(about, testNow.Add(-time.Hour))), "%s of an earlier instance", about)
			}
			for _, about := range test.others {
				assert.False(t, filter.matches(testEvent(about, testNow)), about)
			}
		})
	}
}

func TestEventTimeIsTheLatestThatIsSet(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return testNow.Add(time.Duration(seconds) * time.Second) }
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(at(1))}}
	assert.Equal(t, at(1), eventTime(e))
	e.EventTime = metav1.NewMicroTime(at(2))
	assert.Equal(t, at(2), eventTime(e))
	e.LastTimestamp = metav1.NewTime(at(3))
	assert.Equal(t, at(3), eventTime(e))
	e.Series = &corev1.EventSeries{LastObservedTime: metav1.NewMicroTime(at(4))}
	assert.Equal(t, at(4), eventTime(e))
}

func testEvent(about string, at time.Time) *corev1.Event {
	kind, name, _ := strings.Cut(about, "/")
	return &corev1.Event{InvolvedObject: corev1.ObjectReference{Kind: kind, Name: name}, LastTimestamp: metav1.NewTime(at)}
}
