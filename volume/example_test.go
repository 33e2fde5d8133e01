package volume_test

import (
	"errors"
	"fmt"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/volume"
)

// A volume for one replica cannot be mounted in an instance with three.
func ExampleCheck() {
	v := volume.New(hosting.Volume{Name: "data", Size: 1 << 30}, "mine", "default")
	mount := hosting.VolumeMount{VolumeID: v.VolumeID, MountPath: "/data"}
	web := hosting.ID{Region: "default", Type: hosting.TypeDeployment, Name: "web"}

	fmt.Println(volume.Check(v, mount, volume.User{Instance: web, Replicas: 1}))
	err := volume.Check(v, mount, volume.User{Instance: web, Replicas: 3})
	var refusal *hosting.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Reason, "-", refusal.Message)
	}
	// Output:
	// <nil>
	// Conflict - volume default.volume.data is ReadWriteOnce: instance default.deployment.web has 3 replicas, and only one can use it
}
