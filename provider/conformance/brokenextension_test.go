package conformance_test

import (
	"errors"
	"testing"

	"skillcenter.io/hosting"
	"skillcenter.io/hosting/provider/conformance"
)

type (
	policy        = hosting.AutoScalePolicy
	vol           = hosting.Volume
	compatibility = hosting.HostingCompatibility
	adapter       = hosting.HostingExtensionSdkAdapter
)

// spoiled is an extension with hooks, each of which may spoil one method. What
// has no hook is the sound one's.
type spoiled struct {
	good adapter
	p    extended
	seen memory[bool] // what a defect remembers

	context func(ctx) ctx
	fail    func(error) error

	available     func(ctx) bool
	showPolicy    func(policy) policy // applied to every policy that is returned
	policyOf      func(ctx, string) (policy, error)
	policyByID    func(ctx, string) (policy, error)
	policies      func(ctx) ([]policy, error)
	createPolicy  func(ctx, policy) (policy, error)
	updatePolicy  func(ctx, string, policy) (policy, error)
	deletePolicy  func(ctx, string) error
	enable        func(ctx, string) error
	disable       func(ctx, string) error
	showVolume    func(vol) vol // applied to every volume that is returned
	getVolume     func(ctx, string) (vol, error)
	volumes       func(ctx) ([]vol, error)
	createVolume  func(ctx, vol) (vol, error)
	deleteVolume  func(ctx, string) error
	mount         func(c ctx, volumeID, instanceID, path string, readOnly bool) error
	unmount       func(c ctx, volumeID, instanceID string) error
	showService   func(service) service // applied to every service that is returned
	register      func(ctx, string, service) (service, error)
	services      func(ctx) ([]service, error)
	getService    func(ctx, string) (service, error)
	compatibility func(ctx, string) (compatibility, error)
}

// wrapped is an adapter with hooks, none of which spoils anything.
func wrapped(x extended, good adapter) *spoiled {
	return &spoiled{
		good: good, p: x,
		context: func(c ctx) ctx { return c }, fail: func(err error) error { return err },
		showPolicy: func(p policy) policy { return p }, showVolume: func(v vol) vol { return v }, showService: func(s service) service { return s },
		available: good.IsAvailable, policyOf: good.GetAutoScalePolicy, policyByID: good.GetAutoScalePolicyByID, policies: good.ListAutoScalePolicies,
		createPolicy: good.CreateAutoScalePolicy, updatePolicy: good.UpdateAutoScalePolicy, deletePolicy: good.DeleteAutoScalePolicy,
		enable: good.EnableAutoScalePolicy, disable: good.DisableAutoScalePolicy,
		getVolume: good.GetVolume, volumes: good.ListVolumes, createVolume: good.CreateVolume, deleteVolume: good.DeleteVolume,
		mount: good.MountVolume, unmount: good.UnmountVolume,
		register: good.RegisterService, services: good.ListServices, getService: good.GetService, compatibility: good.CheckCompatibility,
	}
}

// spoil returns the extension with a defect.
func spoil(x extended, defect func(*spoiled, *conformance.Extension)) conformance.Extension {
	extension := x.extension()
	s := wrapped(x, extension.Adapter)
	extension.Adapter = s
	defect(s, &extension)
	return extension
}

// refusal is an error of the extension.
func refusal(code hosting.Code, reason hosting.Reason, message string) error {
	return &hosting.Error{Provider: "fake", Code: code, Reason: reason, Message: message}
}

// named gives the errors of an adapter that knows no provider a name.
func named(err error) error {
	if failure, ok := errors.AsType[*hosting.Error](err); ok && failure.Provider == "" {
		changed := *failure
		changed.Provider = "fake"
		return &changed
	}
	return err
}

// one passes a result on, shown and with its error.
func one[T any](s *spoiled, show func(T) T, result T, err error) (T, error) {
	if err == nil {
		result = show(result)
	}
	return result, s.fail(err)
}

func all[T any](s *spoiled, show func(T) T, list []T, err error) ([]T, error) {
	for i := range list {
		list[i] = show(list[i])
	}
	return list, s.fail(err)
}

func (s *spoiled) IsAvailable(c ctx) bool { return s.available(s.context(c)) }

func (s *spoiled) GetAutoScalePolicy(c ctx, id string) (policy, error) {
	p, err := s.policyOf(s.context(c), id)
	return one(s, s.showPolicy, p, err)
}

func (s *spoiled) GetAutoScalePolicyByID(c ctx, id string) (policy, error) {
	p, err := s.policyByID(s.context(c), id)
	return one(s, s.showPolicy, p, err)
}

func (s *spoiled) ListAutoScalePolicies(c ctx) ([]policy, error) {
	list, err := s.policies(s.context(c))
	return all(s, s.showPolicy, list, err)
}

func (s *spoiled) CreateAutoScalePolicy(c ctx, wanted policy) (policy, error) {
	p, err := s.createPolicy(s.context(c), wanted)
	return one(s, s.showPolicy, p, err)
}

func (s *spoiled) UpdateAutoScalePolicy(c ctx, id string, wanted policy) (policy, error) {
	p, err := s.updatePolicy(s.context(c), id, wanted)
	return one(s, s.showPolicy, p, err)
}

func (s *spoiled) DeleteAutoScalePolicy(c ctx, id string) error {
	return s.fail(s.deletePolicy(s.context(c), id))
}
func (s *spoiled) EnableAutoScalePolicy(c ctx, id string) error {
	return s.fail(s.enable(s.context(c), id))
}
func (s *spoiled) DisableAutoScalePolicy(c ctx, id string) error {
	return s.fail(s.disable(s.context(c), id))
}

func (s *spoiled) RegisterService(c ctx, id string, wanted service) (service, error) {
	r, err := s.register(s.context(c), id, wanted)
	return one(s, s.showService, r, err)
}

func (s *spoiled) UnregisterService(c ctx, id string) error {
	return s.fail(s.good.UnregisterService(s.context(c), id))
}

func (s *spoiled) GetService(c ctx, id string) (service, error) {
	r, err := s.getService(s.context(c), id)
	return one(s, s.showService, r, err)
}

func (s *spoiled) GetServicesByInstance(c ctx, id string) ([]service, error) {
	list, err := s.good.GetServicesByInstance(s.context(c), id)
	return all(s, s.showService, list, err)
}

func (s *spoiled) DiscoverService(c ctx, name string) ([]service, error) {
	list, err := s.good.DiscoverService(s.context(c), name)
	return all(s, s.showService, list, err)
}

func (s *spoiled) ListServices(c ctx) ([]service, error) {
	list, err := s.services(s.context(c))
	return all(s, s.showService, list, err)
}

func (s *spoiled) CreateVolume(c ctx, wanted vol) (vol, error) {
	v, err := s.createVolume(s.context(c), wanted)
	return one(s, s.showVolume, v, err)
}

func (s *spoiled) GetVolume(c ctx, id string) (vol, error) {
	v, err := s.getVolume(s.context(c), id)
	return one(s, s.showVolume, v, err)
}

func (s *spoiled) ListVolumes(c ctx) ([]vol, error) {
	list, err := s.volumes(s.context(c))
	return all(s, s.showVolume, list, err)
}

func (s *spoiled) DeleteVolume(c ctx, id string) error {
	return s.fail(s.deleteVolume(s.context(c), id))
}

func (s *spoiled) MountVolume(c ctx, volumeID, instanceID, path string, readOnly bool) error {
	return s.fail(s.mount(s.context(c), volumeID, instanceID, path, readOnly))
}

func (s *spoiled) UnmountVolume(c ctx, volumeID, instanceID string) error {
	return s.fail(s.unmount(s.context(c), volumeID, instanceID))
}

func (s *spoiled) CheckCompatibility(c ctx, id string) (compatibility, error) {
	result, err := s.compatibility(s.context(c), id)
	return result, s.fail(err)
}

// An extension without any part is skipped, but for what it says of that.
func TestAnExtensionWithoutPartsConforms(t *testing.T) {
	conformance.RunExtension(t, extensionHarness(func(x extended) conformance.Extension {
		return spoil(x, func(s *spoiled, extension *conformance.Extension) {
			none := wrapped(x, hosting.UnimplementedAdapter{})
			none.fail, none.available = named, s.available
			*extension = conformance.Extension{Adapter: none}
		})
	}))
}
